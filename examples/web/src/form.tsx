import { useEffect, useId, useRef, useState, type ReactNode } from 'react';

import type { Refusal } from './refusal';

interface FormProps {
  label: string;
  fields: readonly FieldProps[];
  submit: string;
  /** Sends what was typed, and tells what was refused. */
  onSubmit: (valueOf: (name: string) => string) => Promise<Refusal | undefined>;
  /** Whose password it is, where no field asks for it: password managers keep the new one under it. */
  account?: string | undefined;
  /** Shown above the button: a checkbox, say. */
  children?: ReactNode;
}

/** Fields that show what the server says of each. They are uncontrolled: a password is read when it is sent, and is in no state. */
export function Form({ label, fields, submit, onSubmit, account, children }: FormProps) {
  const [refusal, setRefusal] = useState<Refusal>();
  const [isPending, setIsPending] = useState(false);
  const waitSeconds = useCountdown(refusal);
  const form = useRef<HTMLFormElement>(null);

  useEffect(() => {
    if (refusal !== undefined) form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [refusal]);

  async function send(element: HTMLFormElement): Promise<void> {
    // Not `disabled`, which would take the focus away.
    if (isPending || waitSeconds > 0) return;
    const values = new FormData(element);
    setIsPending(true);
    const refused = await onSubmit((name) => {
      const value = values.get(name);
      return typeof value === 'string' ? value : '';
    });
    setIsPending(false);
    setRefusal(refused);
    if (refused === undefined) element.reset();
  }

  const faults = (refusal?.fields ?? []).map(({ path, message }) => ({ name: path.split('.').at(-1), message }));
  const strayFaults = faults.filter((fault) => !fields.some(({ name }) => name === fault.name));
  // Where there are faults, the message of the whole would only say so.
  const notice = faults.length === 0 ? refusal?.message : strayFaults.map(({ message }) => message).join(' ');

  return (
    <form
      ref={form}
      aria-label={label}
      onSubmit={(event) => {
        event.preventDefault();
        void send(event.currentTarget);
      }}
    >
      <div role="alert">{notice && <p className="refusal">{notice}</p>}</div>
      {account !== undefined && <input hidden readOnly autoComplete="username" value={account} />}
      {fields.map((field) => (
        <Field key={field.name} {...field} faults={faults.filter(({ name }) => name === field.name).map(({ message }) => message)} />
      ))}
      {children}
      <button type="submit" className="primary" aria-disabled={isPending || waitSeconds > 0}>
        {isPending ? 'One moment…' : waitSeconds > 0 ? `${submit} (in ${waitSeconds} s)` : submit}
      </button>
    </form>
  );
}

interface FieldProps {
  name: string;
  label: string;
  type?: 'text' | 'email' | 'password';
  autoComplete: string;
  hint?: string;
  isOptional?: boolean;
}

function Field({ name, label, type = 'text', autoComplete, hint, isOptional = false, faults }: FieldProps & { faults: readonly string[] }) {
  const id = useId();
  const isInvalid = faults.length > 0;
  const note = isInvalid ? faults.join(' ') : hint;
  return (
    <div className="field">
      <label htmlFor={id}>
        {label} {isOptional && <small>optional</small>}
      </label>
      <input
        id={id}
        name={name}
        type={type}
        autoComplete={autoComplete}
        autoCapitalize="none"
        spellCheck={false}
        required={!isOptional}
        aria-invalid={isInvalid}
        aria-describedby={note === undefined ? undefined : `${id}-note`}
      />
      <p id={`${id}-note`} className={isInvalid ? 'fault' : 'hint'}>
        {note}
      </p>
    </div>
  );
}

/** The seconds that the server asks to wait, counted down from when it did. */
function useCountdown(refusal: Refusal | undefined): number {
  const [secondsLeft, setSecondsLeft] = useState(0);

  useEffect(() => {
    const until = Date.now() + (refusal?.retryAfterSeconds ?? 0) * 1000;
    const tick = () => {
      const left = Math.ceil((until - Date.now()) / 1000);
      setSecondsLeft(Math.max(0, left));
      if (left <= 0) clearInterval(timer);
    };
    const timer = setInterval(tick, 1000);
    tick();
    return () => {
      clearInterval(timer);
    };
  }, [refusal]);

  return secondsLeft;
}
