/** The bar below a notebook's toolbar: its newest job, whose outputs it can show. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { Button, closeIcon, ReactWidget } from '@jupyterlab/ui-components';
import type { ReactElement } from 'react';

import { useNow, useSignal } from '../jobs/hooks';
import { statePicture } from '../jobs/icons';
import { Bar } from '../jobs/row';
import { useJob } from '../jobs/usejob';
import { elapsed, oneLiner, progress, shown, stateWord } from '../jobs/wording';
import type { IJob } from '../records';
import type { IJobsManager } from '../tokens';
import { counted } from '../words';
import type { NotebookJobs } from './notebookjobs';

export interface IBarOptions {
  manager: IJobsManager;
  trans: TranslationBundle;
  notebook: NotebookJobs;
  open: (id: string) => void;
}

export class JobBar extends ReactWidget {
  constructor(private readonly _options: IBarOptions) {
    super();
    this.addClass('jp-hybrid-NotebookBar');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute(
      'aria-label',
      _options.trans.__('Job of this notebook')
    );
  }

  protected override render(): ReactElement {
    return <Content {...this._options} />;
  }
}

function Content(props: IBarOptions): ReactElement | null {
  useSignal(props.notebook.changed);
  const id = props.notebook.barJob;
  return id === null ? null : <Line key={id} {...props} id={id} />;
}

function Line(props: IBarOptions & { id: string }): ReactElement | null {
  const { manager, trans, notebook, id } = props;
  const { job, gone } = useJob(manager, id);
  // of a job that is shown, the way back to what was there before outlives it
  if (gone ? notebook.shown !== id : job === null) {
    return null;
  }
  return (
    <div className="jp-hybrid-NotebookBar-line" data-state={job?.state}>
      {job !== null && <span>{statePicture(job.state)}</span>}
      <Text {...props} job={job} gone={gone} />
      <Actions {...props} gone={gone} />
      <Button
        minimal
        small
        aria-label={trans.__('Close')}
        title={trans.__('Close')}
        onClick={() => notebook.closeBar()}
      >
        <closeIcon.react tag="span" />
      </Button>
      {job !== null && !gone && <Bar job={job} trans={trans} />}
    </div>
  );
}

interface ITextProps {
  notebook: NotebookJobs;
  trans: TranslationBundle;
  /** Null for one that was deleted before it was read. */
  job: IJob | null;
  gone: boolean;
}

function Text({ notebook, trans, job, gone }: ITextProps): ReactElement {
  const now = useNow(job !== null && !job.final && !gone);
  const facts =
    job === null || gone
      ? [trans.__('This job was deleted.')]
      : factsOf(job, now, trans);
  return (
    <span
      className="jp-hybrid-NotebookBar-text"
      title={job === null ? undefined : shown(job.name)}
    >
      {job !== null && (
        <>
          <bdi>
            <b>{shown(job.name)}</b>
          </bdi>
          {' · '}
          <bdi>{shown(job.target)}</bdi>
          {' · '}
        </>
      )}
      {facts.join(' · ')}
      <Edited notebook={notebook} trans={trans} />
    </span>
  );
}

function factsOf(job: IJob, now: number, trans: TranslationBundle): string[] {
  const at = progress(job);
  return [
    stateWord(job, trans),
    ...(at === null || job.final ? [] : [`${at.done}/${at.total}`]),
    counted(elapsed(job, now)),
    oneLine(job)
  ].filter(fact => fact !== '');
}

function oneLine(job: IJob): string {
  return job.state === 'COMPLETED' ? '' : oneLiner(job);
}

function Edited(props: {
  notebook: NotebookJobs;
  trans: TranslationBundle;
}): ReactElement | null {
  const { notebook, trans } = props;
  const edited = notebook.here?.edited ?? 0;
  return edited === 0 ? null : (
    <i>
      {' · '}
      {trans._n(
        '%1 cell was edited meanwhile and keeps its output',
        '%1 cells were edited meanwhile and keep their output',
        edited,
        edited
      )}
    </i>
  );
}

function Actions(
  props: IBarOptions & { id: string; gone: boolean }
): ReactElement {
  const { trans, notebook, open, id, gone } = props;
  const here = notebook.shown === id;
  return (
    <>
      {here ? (
        <Button
          small
          className="jp-mod-styled"
          onClick={() => notebook.restore()}
        >
          {trans.__('Restore earlier outputs')}
        </Button>
      ) : (
        <Button
          small
          className="jp-mod-styled"
          onClick={() => void notebook.show(id)}
        >
          {trans.__('Show outputs here')}
        </Button>
      )}
      {!gone && (
        <Button small className="jp-mod-styled" onClick={() => open(id)}>
          {trans.__('Open job')}
        </Button>
      )}
    </>
  );
}
