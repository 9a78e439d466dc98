import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

export interface OwnProcess {
  /** The first line that it printed. */
  readonly said: string
  /** Ends its standard input, and waits until it is gone. */
  stop(): Promise<void>
}

/** Starts a script of ours in a process of its own, which says where it is in one line, and stays until its standard input ends. */
export async function startOwnProcess(file: string, ...args: string[]): Promise<OwnProcess> {
  const child = spawn(process.execPath, [file, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  const gone = new Promise((done) => child.once('exit', done))
  for await (const said of createInterface({ input: child.stdout })) {
    const stop = async () => {
      child.stdin.end()
      await gone
    }
    return { said, stop }
  }
  throw new Error(`${file} ended before it said where it is`)
}
