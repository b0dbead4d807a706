import 'graphiql/setup-workers/vite';
import 'graphiql/style.css';
import './page.css';
import { GraphiQL, HISTORY_PLUGIN } from 'graphiql';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { createSend } from './api.js';
import { defaultTabs, loginTab } from './default-tabs.js';
import { createSessionFetcher } from './fetcher.js';
import { createLayoutStorage } from './layout-storage.js';
import { createSession } from './session.js';
import { createSignInPlugin } from './sign-in-plugin.js';

const ENDPOINT = '/graphql';

const fetch = window.fetch.bind(window);
const session = createSession({ send: createSend({ endpoint: ENDPOINT, fetch }), randomId: () => crypto.randomUUID() });
const fetcher = createSessionFetcher({ endpoint: ENDPOINT, session, fetch });
const storage = createLayoutStorage(window.localStorage);
const signInPlugin = createSignInPlugin(session);
const plugins = [signInPlugin, HISTORY_PLUGIN];

const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no element #root');

createRoot(root).render(
  <StrictMode>
    <GraphiQL
      fetcher={fetcher}
      storage={storage}
      plugins={plugins}
      visiblePlugin={signInPlugin}
      shouldPersistHeaders={false}
      defaultTabs={defaultTabs}
      // GraphiQL shows the first tab's query by itself, but not its variables.
      initialQuery={loginTab.query}
      initialVariables={loginTab.variables}
      defaultEditorToolsVisibility="variables"
    >
      <GraphiQL.Logo>
        <strong>Latchkey</strong>
      </GraphiQL.Logo>
    </GraphiQL>
  </StrictMode>,
);
