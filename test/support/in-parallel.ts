/** Runs a task so many times, at most `limit` at once, and gives the results in order. */
export async function inParallel<T>(times: number, limit: number, task: (index: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const work = async () => {
    while (next < times) {
      const index = next++;
      results[index] = await task(index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, times) }, work));
  return results;
}
