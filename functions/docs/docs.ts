/**
 * `/docs`: the API's description as a page, by Swagger UI.
 * @module
 */
import { Hono } from 'hono'
import type { AtollEnv } from '../core/context.ts'
import { errors } from '../core/errors.ts'

export function createDocs() {
  return new Hono<AtollEnv>({ strict: false })
    .get('/', (c) =>
      c.html(page, 200, {
        'Content-Security-Policy':
          "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
        'X-Content-Type-Options': 'nosniff',
      }),
    )
    .get('/start.js', (c) => c.body(start, 200, { 'Content-Type': 'text/javascript; charset=utf-8' }))
    .get('/:file{swagger-ui-bundle\\.js|swagger-ui\\.css}', (c) => {
      if (!c.var.services.assets) throw errors.invalidPath()
      return c.var.services.assets.fetch(c.req.raw)
    })
}

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>API documentation</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`

/**
 * The page's own script. "Authorize" takes a key and sends it as `apikey`; the description is asked for with the key that
 * the page remembers, since each caller is shown what they may do. A key that is refused is forgotten.
 */
const start = `SwaggerUIBundle({
  url: '/rest/v1/',
  dom_id: '#docs',
  deepLinking: true,
  docExpansion: 'none',
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
  persistAuthorization: true,
  requestInterceptor: (request) => {
    const key = request.loadSpec ? savedKey() : undefined
    if (key) request.headers.apikey = key
    return request
  },
  responseInterceptor: (response) => {
    if (response.status === 401 && response.url.endsWith('/rest/v1/') && savedKey()) {
      localStorage.removeItem('authorized')
      location.reload()
    }
    return response
  },
})

function savedKey() {
  return JSON.parse(localStorage.getItem('authorized') ?? '{}')?.apikey?.value
}
`
