import { ApolloProvider } from '@apollo/client/react';
import { useEffect, useRef, useState } from 'react';

import { Account } from './account';
import { createApolloClient } from './apollo';
import { SignIn } from './sign-in';
import { StatusLine } from './status-line';
import { useAuthState } from './use-auth-state';

export function App() {
  const state = useAuthState();
  const userId = 'session' in state ? state.session?.user.id : undefined;
  const shown = state.status === 'starting' ? undefined : (userId ?? 'nobody');
  const main = useRef<HTMLElement>(null);
  const shownBefore = useRef(shown);

  useEffect(() => {
    const before = shownBefore.current;
    shownBefore.current = shown;
    // The button just pressed is gone.
    if (before !== undefined && before !== shown && document.activeElement === document.body) main.current?.focus();
  }, [shown]);

  return (
    <>
      <header className="top">
        <span className="brand">
          <img src="/favicon.svg" alt="" /> Latchkey
        </span>
        <StatusLine state={state} />
      </header>
      <main ref={main} tabIndex={-1}>
        {state.status === 'signed-out' && <SignIn />}
        {userId !== undefined && <SignedIn key={userId} />}
      </main>
    </>
  );
}

/** Made anew for each user. A refresh, or a server that is away for a while, leaves it as it is. */
function SignedIn() {
  const [client] = useState(createApolloClient);
  return (
    <ApolloProvider client={client}>
      <Account />
    </ApolloProvider>
  );
}
