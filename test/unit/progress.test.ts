import { describe, expect, it } from 'vitest'
import { createProgress } from '../../db/commands/progress.ts'

/** A stream that keeps what is written, as a terminal would show its last line. */
function screen(isTTY: boolean) {
  let text = ''
  const write = (part: string) => {
    text += part
    return true
  }
  return {
    stream: { isTTY, columns: 30, write },
    text: () => text,
    /** Lines as they stand on a terminal: what clears a line is carried out. */
    lines: () =>
      text
        .split('\n')
        // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what clears a line
        .map((line) => line.split(/\u001b\[2K\u001b\[1G/).at(-1)),
  }
}

describe('progress', () => {
  it('on a terminal is one line, which is gone when the work is', () => {
    const { stream, lines } = screen(true)
    let ms = 0
    const progress = createProgress(stream, () => ms)
    progress.step('migrating DB')
    expect(lines()).toEqual([expect.stringMatching(/^\S migrating DB$/)])
    ms = 4200
    progress.step('migrating DB', 0.257)
    expect(lines()).toEqual([expect.stringMatching(/^\S migrating DB {2}25 % {2}4 s$/)])
    progress.say('DB: nothing to do')
    progress.step('a step whose name is longer than the terminal is wide')
    expect(lines()).toEqual(['DB: nothing to do', expect.stringMatching(/^\S a step whose name is longer$/)])
    progress.end()
    expect(lines()).toEqual(['DB: nothing to do', ''])
  })

  it('elsewhere is a line for each step, however often it is told', () => {
    const { stream, text } = screen(false)
    const progress = createProgress(stream)
    progress.step('copying rows', 0.1)
    progress.step('copying rows', 0.9)
    progress.say('a row was odd')
    progress.step('checking')
    progress.end()
    expect(text()).toBe('copying rows\na row was odd\nchecking\n')
  })
})
