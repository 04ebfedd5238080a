/** The upper part of a job's page: how it does, and what can be looked at. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import { type ISignal, Signal } from '@lumino/signaling';
import type { KeyboardEvent, ReactElement } from 'react';

import type { IJob } from '../records';
import type { IJobsManager } from '../tokens';
import { counted } from '../words';
import { useNow, useSignal } from './hooks';
import { statePicture } from './icons';
import { Bar } from './row';
import { useJob } from './usejob';
import {
  clock,
  costText,
  elapsed,
  errorLine,
  progress,
  shown,
  stateWord
} from './wording';

/** A part of the page. */
export interface ITab {
  name: string;
  label: string;
  /** The id of the element that it shows. */
  panel: string;
}

export class Head extends ReactWidget {
  constructor(
    private readonly _manager: IJobsManager,
    private readonly _id: string,
    private readonly _tabs: readonly ITab[],
    private readonly _trans: TranslationBundle
  ) {
    super();
    this.addClass('jp-hybrid-Head');
    this._current = _tabs[0].name;
  }

  /** The name of the part that is shown. */
  get current(): string {
    return this._current;
  }

  set current(name: string) {
    if (name !== this._current) {
      this._current = name;
      this._changed.emit(name);
    }
  }

  get changed(): ISignal<this, string> {
    return this._changed;
  }

  protected override render(): ReactElement {
    return (
      <Content
        head={this}
        manager={this._manager}
        id={this._id}
        tabs={this._tabs}
        trans={this._trans}
      />
    );
  }

  private readonly _changed = new Signal<this, string>(this);
  private _current: string;
}

interface IContentProps {
  head: Head;
  manager: IJobsManager;
  id: string;
  tabs: readonly ITab[];
  trans: TranslationBundle;
}

function Content(props: IContentProps): ReactElement {
  const { head, manager, id, tabs, trans } = props;
  useSignal(head.changed);
  const { job, gone, error } = useJob(manager, id);
  return (
    <>
      {gone && (
        <p className="jp-hybrid-Head-note" role="alert">
          {job === null
            ? trans.__('There is no such job here; it may have been deleted.')
            : trans.__('This job was deleted.')}
        </p>
      )}
      {job !== null && <Facts job={job} trans={trans} />}
      {job === null && !gone && (
        <p className="jp-hybrid-Head-note" role="status">
          {error === null ? trans.__('Loading…') : error.message}
        </p>
      )}
      <Tabs
        tabs={tabs}
        current={head.current}
        choose={name => {
          head.current = name;
        }}
        label={trans.__('Parts of the job')}
      />
    </>
  );
}

interface IFactsProps {
  job: IJob;
  trans: TranslationBundle;
}

function Facts({ job, trans }: IFactsProps): ReactElement {
  const now = useNow(!job.final);
  const at = progress(job);
  const line = job.state === 'RUNNING' ? job.cells.current : reason(job);
  const facts = [
    at === null
      ? ''
      : trans.__('%1 of %2 cells', String(at.done), String(at.total)),
    counted(elapsed(job, now)),
    costText(job.cost),
    clock(job.created_at, now)
  ].filter(fact => fact !== '');
  return (
    <div className="jp-hybrid-Head-facts" data-state={job.state}>
      <h1 title={shown(job.name)}>
        <bdi>{shown(job.name)}</bdi>
      </h1>
      <div className="jp-hybrid-Head-line">
        {statePicture(job.state)}
        <span className="jp-hybrid-State">{stateWord(job, trans)}</span>
        <bdi>{shown(job.target)}</bdi>
        {facts.map(fact => (
          <span key={fact}>{fact}</span>
        ))}
      </div>
      {line !== '' && (
        <div className="jp-hybrid-Head-now" title={shown(line)}>
          <bdi>{shown(line)}</bdi>
        </div>
      )}
      <Bar job={job} trans={trans} />
    </div>
  );
}

/** Why it waits, or what went wrong. */
function reason(job: IJob): string {
  return job.exit !== null && job.state !== 'COMPLETED'
    ? errorLine(job)
    : job.state === 'COMPLETED'
      ? ''
      : job.reason;
}

interface ITabsProps {
  tabs: readonly ITab[];
  current: string;
  choose: (name: string) => void;
  label: string;
}

function Tabs({ tabs, current, choose, label }: ITabsProps): ReactElement {
  const keys = (event: KeyboardEvent<HTMLElement>): void => {
    const steps: Record<string, number> = { ArrowRight: 1, ArrowLeft: -1 };
    const step = steps[event.key] as number | undefined;
    if (step !== undefined) {
      const from = tabs.findIndex(tab => tab.name === current);
      const to = (from + step + tabs.length) % tabs.length;
      choose(tabs[to].name);
      const buttons = event.currentTarget.parentElement?.children;
      (buttons?.[to] as HTMLElement | undefined)?.focus();
    }
  };
  return (
    <div className="jp-hybrid-Tabs" role="tablist" aria-label={label}>
      {tabs.map(tab => (
        <button
          key={tab.name}
          type="button"
          role="tab"
          id={`${tab.panel}-tab`}
          aria-controls={tab.panel}
          aria-selected={tab.name === current}
          tabIndex={tab.name === current ? 0 : -1}
          onClick={() => choose(tab.name)}
          onKeyDown={keys}
        >
          {tab.label}
        </button>
      ))}
    </div>
  );
}
