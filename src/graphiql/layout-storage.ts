import type { Storage as GraphiQLStorage } from '@graphiql/toolkit';

/** What outlives a reload: how the page looks, and nothing that was typed or answered. */
const KEPT_KEYS: ReadonlySet<string> = new Set([
  'graphiql:theme',
  'graphiql:docExplorerFlex',
  'graphiql:editorFlex',
  'graphiql:secondaryEditorFlex',
]);

/**
 * GraphiQL's storage with everything but the layout kept in memory.
 *
 * GraphiQL writes each tab's query and variables, and the history, into localStorage; on this page these hold passwords and refresh tokens.
 */
export function createLayoutStorage(persistent: Storage): GraphiQLStorage {
  const memory = new Map<string, string>();
  return {
    getItem: (key) => (KEPT_KEYS.has(key) ? persistent.getItem(key) : (memory.get(key) ?? null)),
    setItem(key, value) {
      if (KEPT_KEYS.has(key)) persistent.setItem(key, value);
      else memory.set(key, value);
    },
    removeItem(key) {
      if (KEPT_KEYS.has(key)) persistent.removeItem(key);
      else memory.delete(key);
    },
    clear() {
      for (const key of KEPT_KEYS) persistent.removeItem(key);
      memory.clear();
    },
    get length() {
      return memory.size + [...KEPT_KEYS].filter((key) => persistent.getItem(key) !== null).length;
    },
  };
}
