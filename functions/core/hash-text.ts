/** FNV-1a over UTF-16: 32 bits, never 0. For places in tables where another text of the same hash does no harm. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0 || 1
}
