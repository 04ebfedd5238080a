/** What the panel shows where there are no jobs to show, or no news of them. */
import type { ReactElement } from 'react';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Button } from '@jupyterlab/ui-components';

import type { Connection } from '../tokens';
import { jobsIcon } from './icons';

interface IMessageProps {
  title: string;
  children?: React.ReactNode;
  action?: { label: string; run: () => void };
  /** It is told at once to who cannot see it. */
  alert?: boolean;
}

/** A picture, a sentence, and what to do. */
export function Message(props: IMessageProps): ReactElement {
  const { title, children, action, alert } = props;
  return (
    <div className="jp-hybrid-Blank" role={alert ? 'alert' : 'status'}>
      <jobsIcon.react tag="span" className="jp-hybrid-Blank-icon" />
      <p className="jp-hybrid-Blank-title">{title}</p>
      {children}
      {action && (
        <Button className="jp-mod-styled jp-mod-accept" onClick={action.run}>
          {action.label}
        </Button>
      )}
    </div>
  );
}

interface ITransProps {
  trans: TranslationBundle;
}

/** Rows to come. */
export function Loading({ trans }: ITransProps): ReactElement {
  return (
    <div
      className="jp-hybrid-Loading"
      role="status"
      aria-label={trans.__('Loading jobs')}
    >
      {[0, 1, 2, 3].map(row => (
        <div key={row} className="jp-hybrid-Loading-row" />
      ))}
    </div>
  );
}

/** Nobody has submitted anything yet. */
export function NoJobs({
  trans,
  submit
}: ITransProps & { submit: (() => void) | null }): ReactElement {
  const action = submit && { label: trans.__('Run elsewhere…'), run: submit };
  return (
    <Message title={trans.__('No jobs yet')} {...(action ? { action } : {})}>
      <p>
        {trans.__(
          'Open a notebook and press “Run elsewhere” in its toolbar, or begin a cell with:'
        )}
      </p>
      <p>
        <code>%%remote</code>
      </p>
    </Message>
  );
}

/** There are jobs, and none that is looked for. */
export function NoMatch({
  trans,
  clear
}: ITransProps & { clear: () => void }): ReactElement {
  return (
    <Message
      title={trans.__('No job matches')}
      action={{ label: trans.__('Show all jobs'), run: clear }}
    />
  );
}

/** The list could not be read. */
export function Failed({
  trans,
  error,
  retry
}: ITransProps & { error: Error; retry: () => void }): ReactElement {
  return (
    <Message
      alert
      title={trans.__('The jobs could not be read')}
      action={{ label: trans.__('Try again'), run: retry }}
    >
      <p className="jp-hybrid-Blank-detail">{error.message}</p>
    </Message>
  );
}

/** One line above a list of which a part could not be read. */
export function Unread({
  trans,
  error,
  retry
}: ITransProps & { error: Error; retry: () => void }): ReactElement {
  return (
    <div className="jp-hybrid-Away" role="status">
      {trans.__('Some jobs could not be read: %1', error.message)}{' '}
      <Button className="jp-mod-styled" onClick={retry}>
        {trans.__('Try again')}
      </Button>
    </div>
  );
}

/** The server has no part of ours. */
export function Missing({ trans }: ITransProps): ReactElement {
  return (
    <Message
      alert
      title={trans.__('This Jupyter server does not know about jobs')}
    >
      <p>
        {trans.__(
          'Install jupyter-hybrid in the environment of the server, then restart it:'
        )}
      </p>
      <p>
        <code>pip install jupyter-hybrid</code>
      </p>
    </Message>
  );
}

/** One line above a list that may be old. */
export function Away({
  trans,
  connection
}: ITransProps & { connection: Connection }): ReactElement | null {
  if (connection !== 'offline' && connection !== 'signedOut') {
    return null;
  }
  return (
    <div className="jp-hybrid-Away" role="status">
      {connection === 'offline'
        ? trans.__(
            'The server does not answer. Jobs go on without it; the list will too, once it is back.'
          )
        : trans.__(
            'You are signed out of the Jupyter server. Reload the page to sign in; jobs go on meanwhile.'
          )}
    </div>
  );
}
