/**
 * Words as an index keeps them, which must be said where FTS5 is not asked in its own language: folded as its tokenizer `unicode61` does, and in
 * English without their endings, as its `porter` does. Source: https://www.sqlite.org/fts5.html#tokenizers
 * @module
 */
import { stemmer } from 'stemmer'
import type { SearchConfig } from '../../../db/catalog/catalog.ts'
import type { Word } from '../ask/parse-search.ts'
import { errors } from '../errors.ts'

/** Letters and digits that FTS5's tables and JavaScript's fold alike; a test holds each of them against the database. */
const known =
  /^[0-9A-Za-z\xaa\xb2\xb3\xb9-\u012f\u0131-\u017e\u0180-\u01df\u0386-\u03cf\u0400-\u0481\u048a-\u0527\u0531-\u0556\u05d0-\u05ea\u0620-\u064a\u10d0-\u10fa\u1e00-\u1e9a\u1ea0-\u1eff\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fa5\uac00-\ud7a3]+$/

/** Tokens of other lengths keep their endings. */
const stemmedBytes = { least: 3, most: 64 }

/** First and last of the index's words that are meant, in the order of their bytes. */
export function termsOf({ text, prefix }: Word, config: SearchConfig): readonly [from: string, to: string] {
  // Of `yy` before an ending, FTS5 leaves one and the library both.
  if (!known.test(text) || (config === 'english' && /yy(?:ed|ing)/i.test(text)))
    throw errors.searchLetters(text)
  const folded = [...text].map((letter) => fold(letter, config)).join('')
  const term = config === 'english' ? stem(folded) : folded
  return [term, prefix ? `${term}\u{10ffff}` : term]
}

function fold(letter: string, config: SearchConfig): string {
  const isPlain = config === 'english' && /\p{Script=Latin}/u.test(letter)
  const plain = isPlain ? letter.normalize('NFD').replace(/\p{M}/gu, '') : letter
  return plain.toLowerCase().replace('ς', 'σ')
}

/** FTS5 takes bytes for letters: each beyond ASCII is given to the library as a letter of its own, which it has no rules for. */
function stem(word: string): string {
  const bytes = new TextEncoder().encode(word)
  if (bytes.length < stemmedBytes.least || bytes.length > stemmedBytes.most) return word
  const ownLetters = 0xe000
  const letters = Array.from(bytes, (byte) => String.fromCharCode(byte < 128 ? byte : ownLetters + byte))
  const stemmed = Uint8Array.from(stemmer(letters.join('')), (letter) => letter.charCodeAt(0) & 0xff)
  return new TextDecoder().decode(stemmed)
}
