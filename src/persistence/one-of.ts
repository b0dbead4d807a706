/**
 * Compares a column with ids in `$1`. One id, by far the most usual number, has a text of its own: of an array PostgreSQL assumes that it is long, and
 * plans the statement anew each time it is run.
 */
export function oneOf(ids: readonly string[]): string {
  return ids.length === 1 ? '= $1::uuid' : '= ANY ($1::uuid[])';
}

export function idsParameter(ids: readonly string[]): string | readonly string[] {
  const [first] = ids;
  return ids.length === 1 && first !== undefined ? first : ids;
}
