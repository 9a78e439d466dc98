import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { freePort } from '../support/free-port.ts'
import { copyProject } from '../support/project-copy.ts'

const folder = mkdtempSync(join(tmpdir(), 'atoll-dev-'))
/** With the fixture app, and without a `.dev.vars`, as after a clone. */
const project = copyProject()
const running: ChildProcess[] = []

afterEach(async () => {
  for (const child of running.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) await stop(child, 'SIGINT')
  }
})
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
  project.remove()
})

/** Starts the command and waits until it says that it runs, or ends. */
async function dev(...args: string[]): Promise<{ child: ChildProcess; output: string }> {
  const child = spawn(process.execPath, ['functions/local/dev.ts', ...args], { cwd: project.folder })
  running.push(child)
  let output = ''
  await new Promise<void>((done) => {
    const read = (chunk: Buffer) => {
      output += chunk
      if (output.includes('sb_secret_')) done()
    }
    child.stdout?.on('data', read)
    child.stderr?.on('data', read)
    child.once('exit', () => done())
  })
  return { child, output }
}

async function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const exited = new Promise((done) => child.once('exit', done))
  child.kill(signal)
  await exited
}

/** Runs the first `curl` line of the banner as fetch would. */
async function follow(output: string): Promise<unknown> {
  const [, address, key] = /curl '([^']+)' -H 'apikey: ([^']+)'/.exec(output) as unknown as [
    string,
    string,
    string,
  ]
  return (await fetch(address, { headers: { apikey: key } })).json()
}

/** What the port answers from the moment on that anything listens, until the command says that it runs. */
async function firstAnswers(port: string, until: Promise<unknown>): Promise<number[]> {
  const statuses: number[] = []
  let isOver = false
  void until.then(() => {
    isOver = true
  })
  while (!isOver || statuses.length === 0) {
    const answer = await fetch(`http://127.0.0.1:${port}/rest/v1/genres`).catch(() => null)
    if (answer) statuses.push(answer.status)
    await new Promise((done) => setTimeout(done, 20))
  }
  return statuses
}

describe('npm run dev', () => {
  it('listens once it can answer, with seeded rows, and again after kill -9; an interrupt ends it wholly', async () => {
    const state = mkdtempSync(join(folder, 'state-'))
    const port = String(await freePort())
    const started = dev('--port', port, '--persist-to', state)
    expect(new Set(await firstAnswers(port, started))).toEqual(new Set([200]))
    const first = await started
    const said = first.output.slice(0, first.output.indexOf('Atoll is running')).trim().split('\n')
    expect(said).toContainEqual(expect.stringMatching(/^DB: applying 0000_/))
    expect(said.filter((line) => !line.includes(': applying '))).toEqual([
      "reading the app's files",
      'looking at the databases',
      'looking after triggers, search, lookups and copies',
      'seeding',
      'looking at the files',
      'starting the Worker',
      'waiting for the first answer',
    ])
    expect(first.output).toContain('applied 4 migrations, seeded')
    expect(first.output).toContain(`http://localhost:${port}/rest/v1`)
    expect(await follow(first.output)).toHaveLength(3)

    const second = await dev('--port', String(await freePort()), '--persist-to', state)
    expect(second.output).toContain('Another dev server')

    await stop(first.child, 'SIGKILL')
    const third = await dev('--port', port, '--persist-to', state)
    expect(third.output).toContain('Atoll is running\n')
    expect(await follow(third.output)).toHaveLength(3)

    // Whoever interrupts it leaves nothing behind that the next would have to end first.
    await stop(third.child, 'SIGINT')
    expect(existsSync(join(state, 'atoll-dev.json'))).toBe(false)
  }, 180_000)

  it('leaves databases empty for a backup to be restored into, as the page for the worst day says', async () => {
    const state = mkdtempSync(join(folder, 'state-'))
    const port = String(await freePort())
    const args = ['--port', port, '--persist-to', state]
    const first = await dev(...args)
    const rows = await follow(first.output)
    const backup = (...words: readonly string[]) =>
      project.run('functions/local/backup.ts', [...words, '--url', `http://localhost:${port}`])
    const made = await backup('create')
    const [, id = ''] = /^(\w{26}) {2}backup; done/m.exec(made.output) ?? []
    await stop(first.child, 'SIGINT')
    rmSync(join(state, 'v3', 'd1'), { recursive: true })
    const second = await dev(...args, '--no-seed')
    expect((await backup('list')).output).toContain(id)
    const planned = await backup('restore', id, '--into', 'empty', '--plan')
    expect([planned.code, planned.output]).toEqual([0, expect.not.stringContaining('In the way')])
    const restored = await backup('restore', id, '--into', 'empty')
    expect([restored.code, restored.output]).toEqual([0, expect.not.stringContaining('WRONG')])
    expect(await follow(second.output)).toEqual(rows)
  }, 180_000)

  it('says what is wrong with its arguments', async () => {
    expect((await dev('--port', 'x')).output).toContain('--port is no port')
    const taken = createServer()
    await new Promise<void>((done) => taken.listen(0, '127.0.0.1', done))
    const { port } = taken.address() as { port: number }
    const { output } = await dev('--port', String(port), '--persist-to', join(folder, 'other'))
    taken.close()
    expect(output).toContain('The port is taken')
  })
})
