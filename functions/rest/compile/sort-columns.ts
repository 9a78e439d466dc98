/**
 * What a row is sorted by, as values that JavaScript can compare as SQLite does: whole numbers that a double cannot hold
 * come as text beside it.
 */
export function sortColumns(sql: string, i: number): string[] {
  return [
    `CASE typeof(${sql}) WHEN 'blob' THEN hex(${sql}) ELSE ${sql} END AS k${i}`,
    `CASE WHEN typeof(${sql}) = 'integer' AND (${sql} > 9007199254740991 OR ${sql} < -9007199254740991) THEN CAST(${sql} AS TEXT) END AS b${i}`,
  ]
}

/** The names of these columns. */
export function sortNames(i: number): string[] {
  return [`k${i}`, `b${i}`]
}
