/** The line between a `%%remote` cell and its output: where the job is and how it does. */
import type { Cell } from '@jupyterlab/cells';
import type { TranslationBundle } from '@jupyterlab/translation';
import { launchIcon, ReactWidget } from '@jupyterlab/ui-components';
import type { PanelLayout, Widget } from '@lumino/widgets';
import type { ReactElement } from 'react';

import { useNow } from '../jobs/hooks';
import { statePicture, STOP } from '../jobs/icons';
import { useJob } from '../jobs/usejob';
import { costText, elapsed, oneLiner, shown, stateWord } from '../jobs/wording';
import type { IJobsManager } from '../tokens';
import { counted } from '../words';

export interface ICellHeadOptions {
  manager: IJobsManager;
  trans: TranslationBundle;
  open: (id: string) => void;
  cancel: (id: string) => void;
}

/** Shows one job; `setJob` another one. */
export class CellHead extends ReactWidget {
  constructor(
    private readonly _options: ICellHeadOptions,
    private _id: string
  ) {
    super();
    this.addClass('jp-hybrid-CellHead');
  }

  get jobId(): string {
    return this._id;
  }

  /** Show this job from now on. */
  setJob(id: string): void {
    this._id = id;
    this.update();
  }

  protected override render(): ReactElement {
    return <Line key={this._id} {...this._options} id={this._id} />;
  }
}

function Line(props: ICellHeadOptions & { id: string }): ReactElement | null {
  const { manager, trans, open, cancel, id } = props;
  const { job, gone } = useJob(manager, id);
  const now = useNow(job !== null && !job.final);
  if (job === null || gone) {
    return null;
  }
  const waits = job.state === 'PENDING' || job.state === 'CREATED';
  return (
    <div
      className="jp-hybrid-CellHead-line"
      data-state={job.state}
      role="group"
      aria-label={trans.__('Job of this cell')}
    >
      <span>{statePicture(job.state)}</span>
      <span className="jp-hybrid-CellHead-text">
        <bdi>{shown(job.target)}</bdi>
        {' · '}
        <span className="jp-hybrid-State">{stateWord(job, trans)}</span>
        {` · ${counted(elapsed(job, now))}`}
        {job.cost === null ? '' : ` · ${costText(job.cost)}`}
        {waits && job.reason !== '' && (
          <>
            {' · '}
            <bdi>{oneLiner(job)}</bdi>
          </>
        )}
      </span>
      {!job.final && (
        <button
          type="button"
          className="jp-hybrid-IconButton"
          title={trans.__('Cancel the job')}
          aria-label={trans.__('Cancel the job')}
          disabled={job.wanted === 'CANCELLED'}
          onClick={() => cancel(id)}
        >
          {STOP}
        </button>
      )}
      <button
        type="button"
        className="jp-hybrid-IconButton"
        title={trans.__('Open the job')}
        aria-label={trans.__('Open the job')}
        onClick={() => open(id)}
      >
        <launchIcon.react tag="span" />
      </button>
    </div>
  );
}

/** Put something between a cell's input and its output, once the cell is drawn. */
export async function insertBelowInput(
  cell: Cell,
  widget: Widget
): Promise<void> {
  await cell.ready;
  if (widget.isDisposed || cell.isDisposed) {
    return;
  }
  const layout = cell.layout as PanelLayout;
  const input = layout.widgets.findIndex(part =>
    part.hasClass('jp-Cell-inputWrapper')
  );
  layout.insertWidget(input + 1, widget);
}
