/** A job in the list: three lines of the same height for all of them. */
import type { ReactElement } from 'react';
import type { TranslationBundle } from '@jupyterlab/translation';
import { memo } from 'react';

import { serverNow } from '../clock';
import type { IJob } from '../records';
import { counted } from '../words';
import { MORE, statePicture, STOP } from './icons';
import {
  clock,
  costText,
  elapsed,
  oneLiner,
  progress,
  shown,
  stateWord
} from './wording';

export interface IRowActions {
  open: (job: IJob) => void;
  cancel: (job: IJob) => void;
  /** Show what else can be done, at this place of the screen. */
  menu: (job: IJob, x: number, y: number) => void;
}

interface IRowProps {
  job: IJob;
  index: number;
  top: number;
  active: boolean;
  /** Seconds since the epoch; for a job that has ended it does not matter, and stays. */
  now: number;
  trans: TranslationBundle;
  actions: IRowActions;
}

/** The id of the element of a job's row. */
export function rowId(job: IJob): string {
  return `jupyter-hybrid-job-${job.id}`;
}

export const Row = memo(function Row(props: IRowProps): ReactElement {
  const { job, index, top, active, trans, actions } = props;
  return (
    <div
      role="row"
      id={rowId(job)}
      className={`jp-hybrid-Job${active ? ' jp-mod-active' : ''}`}
      data-state={job.state}
      aria-rowindex={index + 1}
      aria-selected={active}
      tabIndex={-1}
      style={{ top }}
    >
      <div role="gridcell" tabIndex={-1} className="jp-hybrid-Job-main">
        <Name job={job} trans={trans} />
        <Facts job={job} now={props.now} trans={trans} />
        <div className="jp-hybrid-Job-now" title={oneLiner(job)}>
          <bdi>{oneLiner(job)}</bdi>
        </div>
        <Bar job={job} trans={trans} />
      </div>
      <div role="gridcell" tabIndex={-1} className="jp-hybrid-Job-actions">
        {!job.final && (
          <button
            type="button"
            className="jp-hybrid-IconButton"
            tabIndex={-1}
            disabled={job.wanted === 'CANCELLED'}
            title={trans.__('Cancel')}
            aria-label={trans.__('Cancel %1', shown(job.name))}
            onClick={() => actions.cancel(job)}
          >
            {STOP}
          </button>
        )}
        <button
          type="button"
          className="jp-hybrid-IconButton"
          tabIndex={-1}
          title={trans.__('More')}
          aria-haspopup="menu"
          aria-label={trans.__('More for %1', shown(job.name))}
          onClick={event => {
            const box = event.currentTarget.getBoundingClientRect();
            actions.menu(job, box.left, box.bottom);
          }}
        >
          {MORE}
        </button>
      </div>
    </div>
  );
});

interface IPartProps {
  job: IJob;
  trans: TranslationBundle;
}

function Name({ job, trans }: IPartProps): ReactElement {
  const at = progress(job);
  const name = shown(job.name);
  return (
    <div className="jp-hybrid-Job-title">
      {statePicture(job.state)}
      <span className="jp-hybrid-Job-name" title={name}>
        <bdi>{name === '' ? trans.__('(no name)') : name}</bdi>
      </span>
      {at !== null && !job.final && (
        <span className="jp-hybrid-Job-count">
          {at.done}/{at.total}
        </span>
      )}
    </div>
  );
}

function Facts(props: IPartProps & { now: number }): ReactElement {
  const { job, now, trans } = props;
  const facts = [
    job.started_at === null && job.final ? '' : counted(elapsed(job, now)),
    costText(job.cost),
    job.final ? clock(job.created_at, serverNow()) : ''
  ];
  return (
    <div className="jp-hybrid-Job-facts">
      <span className="jp-hybrid-State">{stateWord(job, trans)}</span>
      <span className="jp-hybrid-Job-target">
        <bdi>{shown(job.target)}</bdi>
      </span>
      {facts
        .filter(fact => fact !== '')
        .map((fact, index) => (
          <span key={index}>{fact}</span>
        ))}
    </div>
  );
}

/** How far it is; drawn only while it runs. */
export function Bar({ job, trans }: IPartProps): ReactElement | null {
  const at = progress(job);
  if (job.final || at === null) {
    return null;
  }
  return (
    <div
      className="jp-hybrid-Bar"
      role="progressbar"
      aria-label={trans.__('Cells done')}
      aria-valuemin={0}
      aria-valuemax={at.total}
      aria-valuenow={at.done}
    >
      <div style={{ width: `${(100 * at.done) / at.total}%` }} />
    </div>
  );
}
