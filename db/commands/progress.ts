/**
 * What a command is doing: on a terminal one line that moves and is gone when the work is, elsewhere (a file, CI) a line for each step.
 * It goes to standard error, so that what a command answers can be piped.
 * @module
 */
import { clearLine, cursorTo } from 'node:readline'

export interface Progress {
  /**
   * What is done from now on, in a few words; it takes the place of what was said before.
   *
   * @param share how much of it is done, from 0 to 1: shown on a terminal only
   */
  step(text: string, share?: number): void
  /** A line that stays. */
  say(line: string): void
  /** Takes the moving line away. It can begin again with `step`. */
  end(): void
}

/** Where it is shown: a terminal when `isTTY`. */
export type ProgressStream = Pick<NodeJS.WriteStream, 'write' | 'isTTY' | 'columns'>

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
const frameMs = 100
/** From how many seconds on the line says how long the step has taken. */
const slowSeconds = 3

/** @param now milliseconds; the clock when left out */
export function createProgress(
  stream: ProgressStream = process.stderr,
  now: () => number = Date.now,
): Progress {
  const { TERM } = process.env
  return stream.isTTY && TERM !== 'dumb' ? movingLine(stream, now) : plainLines(stream)
}

function plainLines(stream: ProgressStream): Progress {
  let last = ''
  return {
    step(text) {
      if (text !== last) stream.write(`${text}\n`)
      last = text
    },
    say: (line) => void stream.write(`${line}\n`),
    end() {
      last = ''
    },
  }
}

function movingLine(stream: ProgressStream, now: () => number): Progress {
  let timer: NodeJS.Timeout | undefined
  let text = ''
  let share: number | undefined
  let since = 0
  let frame = 0
  const clear = () => {
    clearLine(stream as NodeJS.WriteStream, 0)
    cursorTo(stream as NodeJS.WriteStream, 0)
  }
  const draw = () => {
    const seconds = Math.floor((now() - since) / 1000)
    const parts = [
      `${frames[frame++ % frames.length]} ${text}`,
      ...(share === undefined ? [] : [`${Math.floor(share * 100)} %`]),
      ...(seconds < slowSeconds ? [] : [`${seconds} s`]),
    ]
    clear()
    // A line that wraps could not be taken back.
    stream.write(parts.join('  ').slice(0, (stream.columns || 80) - 1))
  }
  return {
    step(next, part) {
      if (next !== text) since = now()
      text = next
      share = part
      draw()
      timer ??= setInterval(draw, frameMs).unref()
    },
    say(line) {
      clear()
      stream.write(`${line}\n`)
      if (timer) draw()
    },
    end() {
      if (timer === undefined) return
      clearInterval(timer)
      timer = undefined
      text = ''
      clear()
    },
  }
}
