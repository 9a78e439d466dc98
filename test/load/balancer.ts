/**
 * `npm run load -- balancer`: Atoll's strategies beside nginx and HAProxy, before the same four origins, by the same script, in one run: one
 * origin is killed with `kill -9`; one is ten times slower; one is restarted and cold. Servers that are not installed are left out.
 * Ends by itself after contenders x scenes x some ten seconds.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LogLevel } from 'miniflare'
import { freePort } from '../support/free-port.ts'
import { startFixture } from '../support/local-server.ts'
import { type ScriptedOrigin, startOrigin } from '../support/scripted-origin.ts'
import { findToolNamed } from '../support/system-tools.ts'
import { runLoad } from './tool/run-load.ts'

/** Requests a second, for all alike: what Miniflare bears on two cores beside the origins. */
const rate = 150
/** What an origin takes as usual, in milliseconds. */
const usualMs = 10

interface Contender {
  readonly name: string
  /** Address of the origins' `/`. */
  readonly url: string
}

interface Outcome {
  readonly requests: number
  readonly failed: number
  readonly p50: number
  readonly p99: number
}

export async function runBalancer(): Promise<void> {
  const origins = await Promise.all(['a', 'b', 'c', 'd'].map(startOrigin))
  const folder = mkdtempSync(join(tmpdir(), 'atoll-balancer-'))
  const ends: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })]
  try {
    const contenders = [...(await startAtoll(origins, ends)), ...(await startOthers(origins, folder, ends))]
    console.log(
      `${rate} requests a second, come when they may; origins take ${usualMs} ms; latencies in milliseconds\n`,
    )
    line('', '', 'requests', 'failed', 'p50', 'p99')
    for (const [scene, play] of Object.entries(scenes)) {
      for (const contender of contenders) {
        for (const origin of origins) await origin.restart({ delayMs: usualMs })
        await shoot(contender, 2)
        const { requests, failed, p50, p99 } = await play(contender, origins)
        line(scene, contender.name, String(requests), String(failed), p50.toFixed(0), p99.toFixed(0))
      }
    }
  } finally {
    for (const end of ends) await end()
    for (const origin of origins) await origin.kill()
  }
}

const line = (...cells: string[]) =>
  console.log(cells.map((cell, i) => (i < 2 ? cell.padEnd(32) : cell.padStart(10))).join(''))
const pause = (ms: number) => new Promise((done) => setTimeout(done, ms))

/** What happens while a contender is asked. */
const scenes: Readonly<
  Record<string, (contender: Contender, origins: readonly ScriptedOrigin[]) => Promise<Outcome>>
> = {
  'nothing happens': (contender) => shoot(contender, 4),
  'one of four is killed': async (contender, [first]) => {
    const shooting = shoot(contender, 5)
    await pause(1500)
    await first?.kill()
    return shooting
  },
  'one is ten times slower': async (contender, [first]) => {
    await first?.script({ delayMs: usualMs * 10 })
    await shoot(contender, 2)
    return shoot(contender, 6)
  },
  'one is back, and cold for 10 s': async (contender, [first]) => {
    await first?.kill()
    await shoot(contender, 3)
    await first?.restart({ delayMs: usualMs, cold: { delayMs: 300, forMs: 10_000 } })
    return shoot(contender, 10)
  },
}

async function shoot({ url }: Contender, seconds: number): Promise<Outcome> {
  const { origin, pathname } = new URL(url)
  const arrivals = { model: 'open', rate } as const
  const scenario = {
    about: 'one address',
    key: 'none',
    arrivals,
    journeys: [{ steps: [{ name: pathname, ask: () => ({ path: pathname }) }] }],
  } as const
  const { all } = await runLoad(
    scenario,
    { url: new URL(origin), keys: {} },
    {
      arrivals,
      durationSeconds: seconds,
      warmUpSeconds: 0,
      seed: 1,
      maxRequests: 1_000_000,
      maxOutstanding: 10_000,
      timeoutMs: 300_000,
    },
  )
  const { requests, failed, latency } = all
  return { requests, failed, p50: latency.p50, p99: latency.p99 }
}

async function startAtoll(
  origins: readonly ScriptedOrigin[],
  ends: (() => unknown)[],
): Promise<readonly Contender[]> {
  const server = await startFixture({
    port: 0,
    persistTo: null,
    isWhole: true,
    isQuiet: true,
    logLevel: LogLevel.NONE,
    databases: ['DB'],
    entry: new URL('balancer-worker.ts', import.meta.url).pathname,
    variables: {
      ATOLL_SECRET_KEY: 'sb_secret_test',
      ATOLL_RATE_LIMITS: 'off',
      ...Object.fromEntries(origins.map(({ name, url }) => [`ORIGIN_${name.toUpperCase()}`, url])),
    },
  })
  ends.push(() => server.stop())
  return ['round-robin', 'least-request', 'peak-ewma'].map((strategy) => ({
    name: `atoll, ${strategy}`,
    url: `${server.url.origin}/${strategy}/`,
  }))
}

async function startOthers(
  origins: readonly ScriptedOrigin[],
  folder: string,
  ends: (() => unknown)[],
): Promise<readonly Contender[]> {
  const started: Contender[] = []
  const start = async (name: string, program: string, args: readonly string[], port: number) => {
    const child: ChildProcess = spawn(program, args, { stdio: 'ignore' })
    ends.push(() => child.kill())
    await answering(`http://127.0.0.1:${port}/`)
    started.push({ name, url: `http://127.0.0.1:${port}/` })
  }
  for (const method of ['', 'least_conn']) {
    const program = findToolNamed('nginx')
    if (program === null) break
    const port = await freePort()
    const file = join(folder, `nginx-${port}.conf`)
    writeFileSync(file, nginxConfig(origins, method, port, folder))
    const args = ['-c', file, '-p', folder, '-e', 'stderr', '-g', 'daemon off;']
    await start(`nginx, ${method || 'round robin'}`, program, args, port)
  }
  for (const method of ['roundrobin', 'leastconn']) {
    const program = findToolNamed('HAProxy')
    if (program === null) break
    const port = await freePort()
    const file = join(folder, `haproxy-${port}.cfg`)
    writeFileSync(file, haproxyConfig(origins, method, port))
    await start(`HAProxy, ${method}`, program, ['-f', file, '-db'], port)
  }
  for (const name of ['nginx', 'HAProxy'])
    if (findToolNamed(name) === null)
      console.log(`${name} is missing, and left out: on Debian, apt-get install ${name.toLowerCase()}`)
  return started
}

async function answering(url: string): Promise<void> {
  for (let i = 0; i < 50; i++) {
    const isUp = await fetch(url).then(
      (answer) => answer.arrayBuffer().then(() => true),
      () => false,
    )
    if (isUp) return
    await pause(100)
  }
  throw new Error(`nothing answers at ${url}`)
}

/** As its handbook has it for servers that are kept connected; failed requests go to the next server, as they do by default. */
function nginxConfig(
  origins: readonly ScriptedOrigin[],
  method: string,
  port: number,
  folder: string,
): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `  ${name}_temp_path ${folder}/${name}-${port};`)
    .join('\n')
  return `pid ${folder}/nginx-${port}.pid;
worker_processes 1;
error_log /dev/null;
events { worker_connections 1024; }
http {
  access_log off;
${temporary}
  upstream origins {
    ${method}${method ? ';' : ''}
${origins.map(({ url }) => `    server ${new URL(url).host};`).join('\n')}
    keepalive 64;
  }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://origins;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
  }
}
`
}

function haproxyConfig(origins: readonly ScriptedOrigin[], method: string, port: number): string {
  return `global
  nbthread 1
defaults
  mode http
  retries 3
  option redispatch 1
  retry-on conn-failure empty-response response-timeout
  timeout connect 1s
  timeout client 60s
  timeout server 30s
frontend front
  bind 127.0.0.1:${port}
  default_backend origins
backend origins
  balance ${method}
  option httpchk GET /health
  default-server check inter 1s rise 2 fall 2 slowstart 10s observe layer7
${origins.map(({ name, url }) => `  server ${name} ${new URL(url).host}`).join('\n')}
`
}
