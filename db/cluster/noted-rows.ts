/** What a transaction has noted of the rows that it wrote, in `_atoll_undone`: a JSON array of their texts and the keys of their order. */
export const notedRows = `(SELECT json_group_array(json_object('text', text, 'keys', json(keys)) ORDER BY sequence) FROM _atoll_undone WHERE kind = 'row')`

/** The sum of what it has noted of a kind. */
export function notedSum(kind: 'affected' | 'existing'): string {
  return `(SELECT ifnull(sum(text), 0) FROM _atoll_undone WHERE kind = '${kind}')`
}
