import { Button } from '@graphiql/react';
import { useEffect, useId, useRef, useState } from 'react';
import type { FieldFault } from './api.js';
import type { Outcome, Session } from './session.js';

type Mode = 'login' | 'register';
type Refusal = Extract<Outcome, { ok: false }>;

interface Field {
  name: string;
  label: string;
  type: 'text' | 'email' | 'password';
  autoComplete: string;
  isRequired: boolean;
}

const PASSWORD = { name: 'password', label: 'Password', type: 'password', isRequired: true } as const;

const FORMS: Record<Mode, { title: string; submit: string; submitting: string; switchTo: string; fields: readonly Field[] }> = {
  login: {
    title: 'Log in',
    submit: 'Log in',
    submitting: 'Logging in…',
    switchTo: 'Create an account',
    fields: [
      { name: 'identifier', label: 'E-mail or username', type: 'text', autoComplete: 'username', isRequired: true },
      { ...PASSWORD, autoComplete: 'current-password' },
    ],
  },
  register: {
    title: 'Register',
    submit: 'Register',
    submitting: 'Registering…',
    switchTo: 'I have an account',
    fields: [
      { name: 'email', label: 'E-mail', type: 'email', autoComplete: 'email', isRequired: true },
      { name: 'username', label: 'Username (optional)', type: 'text', autoComplete: 'username', isRequired: false },
      { ...PASSWORD, autoComplete: 'new-password' },
    ],
  },
};

/** Logs in or registers. The fields are uncontrolled: a password is read once, when it is sent, and is nowhere in the page's state. */
export function CredentialsForm({ session }: { session: Session }) {
  const [mode, setMode] = useState<Mode>('login');
  const [isPending, setIsPending] = useState(false);
  const [refusal, setRefusal] = useState<Refusal>();
  const form = useRef<HTMLFormElement>(null);
  const titleId = useId();
  const { title, submit, submitting, switchTo, fields } = FORMS[mode];

  useEffect(() => {
    if (refusal !== undefined) form.current?.querySelector<HTMLInputElement>('[aria-invalid="true"]')?.focus();
  }, [refusal]);

  async function send(values: FormData): Promise<void> {
    if (isPending) return;
    setIsPending(true);
    setRefusal(undefined);
    const outcome = await (mode === 'login' ? logIn(session, values) : register(session, values));
    setIsPending(false);
    if (!outcome.ok) setRefusal(outcome);
  }

  function switchMode(): void {
    setMode(mode === 'login' ? 'register' : 'login');
    setRefusal(undefined);
  }

  const faults = refusal?.fields ?? [];
  const faultsOfNoField = faults.filter((fault) => !fields.some(({ name }) => isFaultOf(name, fault)));

  return (
    <form
      ref={form}
      className="latchkey-form"
      aria-labelledby={titleId}
      onSubmit={(event) => {
        event.preventDefault();
        void send(new FormData(event.currentTarget));
      }}
    >
      <h2 id={titleId} className="latchkey-title">
        {title}
      </h2>
      <div className="latchkey-error" role="alert">
        {refusal !== undefined && <p>{refusal.message}</p>}
        {faultsOfNoField.map(({ path, message }) => (
          <p key={`${path} ${message}`}>
            {path}: {message}
          </p>
        ))}
      </div>
      {fields.map((field) => (
        // The mode is part of the key, so that a password typed for one form does not turn up in the other.
        <FormField key={`${mode} ${field.name}`} field={field} faults={faults.filter((fault) => isFaultOf(field.name, fault))} />
      ))}
      <Button type="submit" className="latchkey-primary" aria-disabled={isPending}>
        {isPending ? submitting : submit}
      </Button>
      <Button type="button" onClick={switchMode}>
        {switchTo}
      </Button>
    </form>
  );
}

function FormField({ field, faults }: { field: Field; faults: readonly FieldFault[] }) {
  const [isShown, setIsShown] = useState(false);
  const id = useId();
  const faultsId = `${id}-faults`;
  const isPassword = field.type === 'password';
  return (
    <div className="latchkey-field">
      <label htmlFor={id}>{field.label}</label>
      <div className="latchkey-input">
        <input
          id={id}
          name={field.name}
          type={isShown ? 'text' : field.type}
          autoComplete={field.autoComplete}
          autoCapitalize="none"
          spellCheck={false}
          required={field.isRequired}
          aria-invalid={faults.length > 0}
          aria-describedby={faults.length > 0 ? faultsId : undefined}
        />
        {isPassword && (
          <button
            type="button"
            className="latchkey-reveal"
            aria-controls={id}
            title={isShown ? 'Hide what is typed' : 'Show what is typed'}
            onClick={() => {
              setIsShown(!isShown);
            }}
          >
            {isShown ? 'Hide' : 'Show'}
          </button>
        )}
      </div>
      {faults.length > 0 && (
        <p id={faultsId} className="latchkey-field-error">
          {faults.map(({ message }) => message).join(' ')}
        </p>
      )}
    </div>
  );
}

function logIn(session: Session, values: FormData): Promise<Outcome> {
  return session.signIn({ identifier: text(values, 'identifier').trim(), password: text(values, 'password') });
}

function register(session: Session, values: FormData): Promise<Outcome> {
  const username = text(values, 'username').trim();
  return session.register({
    email: text(values, 'email').trim(),
    username: username === '' ? undefined : username,
    password: text(values, 'password'),
  });
}

function text(values: FormData, name: string): string {
  const value = values.get(name);
  return typeof value === 'string' ? value : '';
}

/** A path ends with the name of the input field: `input.password`, or `password` alone. */
function isFaultOf(name: string, fault: FieldFault): boolean {
  return fault.path.split('.').at(-1) === name;
}
