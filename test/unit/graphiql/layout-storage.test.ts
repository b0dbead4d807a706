import { describe, expect, it } from 'vitest';
import { createLayoutStorage } from '../../../src/graphiql/layout-storage.js';

/** As much of the browser's localStorage as is used. */
function fakeLocalStorage(kept: Map<string, string>): Storage {
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
    clear: () => {
      kept.clear();
    },
    key: () => null,
    get length() {
      return kept.size;
    },
  };
}

describe('the storage given to GraphiQL', () => {
  it.each(['tabState', 'query', 'variables', 'headers', 'queries', 'favorites', 'visiblePlugin', 'a key of tomorrow'])(
    'keeps %s in memory only',
    (name) => {
      const kept = new Map<string, string>();
      const storage = createLayoutStorage(fakeLocalStorage(kept));
      storage.setItem(`graphiql:${name}`, 'secret');
      expect(storage.getItem(`graphiql:${name}`)).toBe('secret');
      expect(kept.size).toBe(0);
      storage.removeItem(`graphiql:${name}`);
      expect(storage.getItem(`graphiql:${name}`)).toBeNull();
    },
  );

  it('keeps the layout across reloads', () => {
    const kept = new Map<string, string>();
    createLayoutStorage(fakeLocalStorage(kept)).setItem('graphiql:theme', 'dark');
    const storage = createLayoutStorage(fakeLocalStorage(kept));
    expect(storage.getItem('graphiql:theme')).toBe('dark');
    storage.removeItem('graphiql:theme');
    expect(kept.size).toBe(0);
  });

  it("clears what is GraphiQL's, and nothing else", () => {
    const kept = new Map([['of another page', 'stays']]);
    const storage = createLayoutStorage(fakeLocalStorage(kept));
    storage.setItem('graphiql:theme', 'dark');
    storage.setItem('graphiql:variables', '{}');
    expect(storage.length).toBe(2);
    storage.clear();
    expect(storage.length).toBe(0);
    expect([...kept]).toEqual([['of another page', 'stays']]);
  });
});
