/** Small parts of the form. */
import type { TranslationBundle } from '@jupyterlab/translation';
import React, { type ReactNode, useId } from 'react';

import type { IFieldProblem, IParameter } from '../records';
import { initialText, kindOf, textOf } from './parameters';

/** A group of fields with its name. */
export function Section({
  title,
  children
}: {
  title: string;
  children: ReactNode;
}): React.JSX.Element {
  const id = useId();
  return (
    <section className="jp-hybrid-section" aria-labelledby={id}>
      <h3 id={id}>{title}</h3>
      {children}
    </section>
  );
}

/** What the server says is wrong, below the fields that it means. */
export function Problems({
  problems
}: {
  problems: readonly IFieldProblem[];
}): React.JSX.Element {
  return (
    <div role="alert" className="jp-hybrid-problems">
      {problems.map(({ message }) => (
        <p key={message} dir="auto">
          {message}
        </p>
      ))}
    </div>
  );
}

export interface ITextFieldProps {
  label: string;
  value: string;
  onChange: (text: string) => void;
  placeholder?: string;
  /** Extra class for the width. */
  kind?: 'short' | 'long';
  invalid?: boolean;
  hint?: string;
}

/** A text field with its label above. */
export function TextField(props: ITextFieldProps): React.JSX.Element {
  const id = useId();
  return (
    <div className={`jp-hybrid-field jp-mod-${props.kind ?? 'short'}`}>
      <label htmlFor={id}>{props.label}</label>
      <input
        id={id}
        className="jp-mod-styled"
        value={props.value}
        placeholder={props.placeholder}
        title={props.hint}
        spellCheck={false}
        autoComplete="off"
        aria-invalid={props.invalid ?? false}
        onChange={event => props.onChange(event.target.value)}
      />
    </div>
  );
}

export interface IParameterFieldProps {
  parameter: IParameter;
  texts: Readonly<Record<string, string>>;
  onChange: (text: string) => void;
  trans: TranslationBundle;
}

/** One parameter: its name and type, a field for its kind, what the notebook says about it. */
export function ParameterField(props: IParameterFieldProps): React.JSX.Element {
  const { parameter, texts, trans, onChange } = props;
  const id = useId();
  const text = textOf(parameter, texts);
  const initial = initialText(parameter);
  const help = parameter.help !== '' ? `${id}-help` : undefined;
  return (
    <div className="jp-hybrid-parameter">
      <label htmlFor={id}>
        <code dir="auto">{parameter.name}</code>
        {parameter.type !== null && <small>{parameter.type}</small>}
      </label>
      <div className="jp-hybrid-value">
        {kindOf(parameter) === 'flag' ? (
          <input
            id={id}
            type="checkbox"
            checked={text === 'true'}
            aria-describedby={help}
            onChange={event => onChange(String(event.target.checked))}
          />
        ) : (
          <input
            id={id}
            className="jp-mod-styled"
            value={text}
            placeholder={initial || parameter.default}
            inputMode={kindOf(parameter) === 'number' ? 'decimal' : 'text'}
            spellCheck={false}
            autoComplete="off"
            aria-describedby={help}
            onChange={event => onChange(event.target.value)}
          />
        )}
        {text !== initial && (
          <button
            type="button"
            className="jp-hybrid-reset"
            title={trans.__('Back to %1', initial || parameter.default)}
            aria-label={trans.__(
              'Back to the notebook’s own value of %1',
              parameter.name
            )}
            onClick={() => {
              onChange(initial);
              // the button goes away
              document.getElementById(id)?.focus();
            }}
          >
            ↺
          </button>
        )}
        {help && (
          <small id={help} dir="auto">
            {parameter.help}
          </small>
        )}
      </div>
    </div>
  );
}
