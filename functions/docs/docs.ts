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
    .get('/schemes.css', (c) => c.body(schemes, 200, { 'Content-Type': 'text/css; charset=utf-8' }))
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
<link rel="stylesheet" href="/docs/schemes.css">
</head>
<body>
<p id="empty" class="quiet" hidden>Nobody may do anything here without a key: press Authorize, and enter one, or a user's token.</p>
<div id="docs"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`

/** Swagger UI knows one scheme only; the dark one is its light one turned over, with hues as they were. */
const schemes = `:root { color-scheme: light dark }
body { margin: 0; background: light-dark(#fff, #14171c) }
.quiet { font: 15px/1.5 system-ui, sans-serif; max-width: 1420px; margin: 1rem auto; padding: 0 20px; color: light-dark(#3b4151, #e6e8ec) }
.quiet[hidden] { display: none }
@media (prefers-color-scheme: dark) {
  #docs { filter: invert(0.92) hue-rotate(180deg) }
  #docs img, #docs .highlight-code, #docs pre.microlight { filter: invert(1) hue-rotate(180deg) }
}
`

/**
 * The page's own script. "Authorize" takes a key and sends it as `apikey`; the description is asked for with the key that the
 * page remembers, since each caller is shown what they may do, and asked for anew when there is another. A key that is refused
 * is forgotten.
 */
const start = `const anew = (action, system) => (payload) => {
  const done = action(payload)
  queueMicrotask(() => {
    system.authActions.showDefinitions(false)
    system.specActions.download('/rest/v1/')
  })
  return done
}

SwaggerUIBundle({
  url: '/rest/v1/',
  dom_id: '#docs',
  deepLinking: true,
  docExpansion: 'none',
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
  persistAuthorization: true,
  plugins: [{
    statePlugins: {
      auth: {
        wrapActions: {
          authorizeWithPersistOption: anew,
          logoutWithPersistOption: anew,
        },
      },
    },
  }],
  requestInterceptor: (request) => {
    const key = request.loadSpec ? savedKey() : undefined
    if (key) request.headers.apikey = key
    return request
  },
  responseInterceptor: (response) => {
    const isSpec = new URL(response.url, location.href).pathname === '/rest/v1/'
    if (response.status === 401 && isSpec && savedKey()) {
      localStorage.removeItem('authorized')
      location.reload()
    }
    if (response.ok && isSpec) tellIfEmpty(response)
    return response
  },
})

function tellIfEmpty({ body, text }) {
  const { paths = {} } = body ?? JSON.parse(text)
  const isEmpty = Object.keys(paths).every((path) => path === '/')
  document.getElementById('empty').hidden = !isEmpty
}

function savedKey() {
  return JSON.parse(localStorage.getItem('authorized') ?? '{}')?.apikey?.value
}
`
