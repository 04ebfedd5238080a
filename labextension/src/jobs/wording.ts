/** What is said of a job in the panel. Pure; sentences come from the server. */

import type { TranslationBundle } from '@jupyterlab/translation';

import type { IJob, State } from '../records';
import { amount, language, oneLine } from '../words';

/** Characters of others' text that are shown at most; all of it is in the tooltip. */
const LONGEST = 300;

/** The state, in a word that a user reads. */
export function stateWord(
  job: Pick<IJob, 'state' | 'wanted' | 'final'>,
  trans: TranslationBundle
): string {
  if (job.wanted === 'CANCELLED' && !job.final) {
    return trans.__('cancelling');
  }
  return stateName(job.state, trans);
}

/** The word for a state. */
export function stateName(state: State, trans: TranslationBundle): string {
  const names: Record<State, string> = {
    CREATED: trans.__('sending'),
    PENDING: trans.__('waiting'),
    RUNNING: trans.__('running'),
    COMPLETED: trans.__('done'),
    FAILED: trans.__('failed'),
    CANCELLED: trans.__('cancelled'),
    LOST: trans.__('lost')
  };
  return names[state];
}

/** Cells done of all; null while nobody knows how many there are. */
export interface IProgress {
  done: number;
  total: number;
}

/** How far it is; null where it has not begun, and for one cell with what it is wrapped in. */
export function progress(job: Pick<IJob, 'cells' | 'kind'>): IProgress | null {
  const { done, total } = job.cells;
  return total === null || total === 0 || job.kind === 'cell'
    ? null
    : { done: Math.min(done, total), total };
}

/** Seconds that it ran until now or, before it runs, that it has waited. */
export function elapsed(
  job: Pick<
    IJob,
    'seconds' | 'started_at' | 'finished_at' | 'created_at' | 'final'
  >,
  now: number
): number {
  if (job.seconds !== null) {
    return job.seconds;
  }
  const end = job.finished_at ?? now;
  return Math.max(0, end - (job.started_at ?? job.created_at));
}

/** What it cost until now; empty where nobody knows. */
export function costText(cost: number | null): string {
  return cost === null ? '' : amount(cost);
}

/** The line below: what it does, why it waits, how it ended, or whose notebook it was. */
export function oneLiner(job: IJob): string {
  if (job.state === 'RUNNING' && job.cells.current !== '') {
    return shown(job.cells.current);
  }
  if (job.exit !== null && job.state !== 'COMPLETED') {
    return shown(errorLine(job));
  }
  return shown(job.state === 'COMPLETED' ? (job.path ?? '') : job.reason);
}

/** The first line of what went wrong. */
export function errorLine(job: Pick<IJob, 'exit' | 'reason'>): string {
  const exit = job.exit;
  if (exit?.ename) {
    const line = (exit.evalue ?? '').split('\n', 1)[0];
    return line === '' ? exit.ename : `${exit.ename}: ${line}`;
  }
  const message = exit?.message ?? '';
  return (message === '' ? job.reason : message).split('\n', 1)[0];
}

/** Others' text on one line and not endless. */
export function shown(text: string): string {
  const line = oneLine(
    text.length > 2 * LONGEST ? text.slice(0, 2 * LONGEST) : text
  );
  return line.length > LONGEST ? `${line.slice(0, LONGEST)}…` : line;
}

/** A time of day today, else the date too. */
export function clock(seconds: number, now: number): string {
  const when = new Date(seconds * 1000);
  const today = new Date(now * 1000);
  formats ??= makeFormats();
  if (when.toDateString() === today.toDateString()) {
    return formats.time.format(when);
  }
  const sameYear = when.getFullYear() === today.getFullYear();
  return (sameYear ? formats.day : formats.year).format(when);
}

interface IFormats {
  time: Intl.DateTimeFormat;
  day: Intl.DateTimeFormat;
  year: Intl.DateTimeFormat;
}

/** To make one takes longer than to draw a row, and each row of a list has a date. */
let formats: IFormats | undefined;

function makeFormats(): IFormats {
  const day = { month: 'short', day: 'numeric' } as const;
  return {
    time: new Intl.DateTimeFormat(language(), {
      hour: '2-digit',
      minute: '2-digit'
    }),
    day: new Intl.DateTimeFormat(language(), day),
    year: new Intl.DateTimeFormat(language(), { ...day, year: 'numeric' })
  };
}
