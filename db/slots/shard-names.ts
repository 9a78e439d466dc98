/** `DB`, then `SHARD_1`, `SHARD_2`, … by number. */
export function byShard(a: string, b: string): number {
  const number = (name: string) => Number(/^SHARD_(\d+)$/.exec(name)?.[1] ?? 0)
  return number(a) - number(b)
}
