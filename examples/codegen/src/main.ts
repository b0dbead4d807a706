import { changePassword, loadViewer, type Viewer } from './account';
import { explain } from './api';
import { auth } from './auth';
import { deviceList } from './devices';
import { element, field, textOf } from './element';

const page = element('main');
const notice = element('p', { role: 'alert', className: 'notice' });
document.body.append(page, notice);

const say = (text: string): void => {
  notice.textContent = text;
};

/** Runs what a button or a form asks for, says what went wrong, and draws what is the case now. */
function run(task: () => Promise<unknown>, done?: string): void {
  say('');
  task()
    .then(draw)
    .then(
      () => {
        if (done !== undefined) say(done);
      },
      (error: unknown) => {
        // Whoever is signed out has been told so.
        if (!isSignedOut()) say(explain(error));
      },
    );
}

const isSignedOut = (): boolean => auth.state.status === 'signed-out';

async function draw(): Promise<void> {
  const viewer = isSignedOut() ? undefined : await loadViewer();
  // The user may have signed out meanwhile.
  page.replaceChildren(...(viewer === undefined || isSignedOut() ? [signInForm()] : accountOf(viewer)));
}

function signInForm(): HTMLElement {
  const form = element(
    'form',
    {},
    element('h1', { textContent: 'Sign in' }),
    field('E-mail or username', { name: 'identifier', autocomplete: 'username' }),
    field('Password', { name: 'password', type: 'password', autocomplete: 'current-password' }),
    element('button', { textContent: 'Sign in' }),
  );
  form.onsubmit = (event) => {
    event.preventDefault();
    void auth.login({ identifier: textOf(form, 'identifier'), password: textOf(form, 'password') }).then((result) => {
      if (!result.ok) say(result.error.message);
    });
  };
  return form;
}

function accountOf({ email, roles, createdAt, sessions }: Viewer): HTMLElement[] {
  const form = element(
    'form',
    {},
    element('h2', { textContent: 'Password' }),
    field('Current password', { name: 'current', type: 'password', autocomplete: 'current-password' }),
    field('New password', { name: 'new', type: 'password', autocomplete: 'new-password' }),
    element('button', { textContent: 'Change it' }),
  );
  form.onsubmit = (event) => {
    event.preventDefault();
    run(() => changePassword(textOf(form, 'current'), textOf(form, 'new')), 'The password is changed, and every other device signed out.');
  };
  return [
    element('h1', { textContent: email }),
    element('p', { textContent: `Roles: ${roles.join(', ')} · here since ${new Date(createdAt).toLocaleDateString()}` }),
    element('button', { type: 'button', textContent: 'Sign out', onclick: () => void auth.logout() }),
    element('h2', { textContent: 'Devices' }),
    deviceList({ sessions, run }),
    form,
  ];
}

/** A refresh under way, or a server that is away for a while, changes nothing that is drawn. */
const whoIsSignedIn = (): string | undefined => ('session' in auth.state ? auth.state.session?.id : undefined);

let drawnFor: string | undefined;
auth.subscribe((state) => {
  if (whoIsSignedIn() === drawnFor) return;
  drawnFor = whoIsSignedIn();
  const isEnded = state.status === 'signed-out' && state.reason === 'session-ended';
  run(() => auth.ready, isEnded ? 'Your session has ended. Sign in again.' : undefined);
});
run(() => auth.ready);
