/** How many jobs run, in the status bar. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { ReactElement } from 'react';

import { jobsIcon } from '../jobs/icons';
import { useSignal } from '../jobs/hooks';
import type { IJobList } from '../tokens';
import { counts } from './unfinished';

import '../../style/jobs.css';

export class RunningStatus extends ReactWidget {
  constructor(
    private readonly _list: IJobList,
    private readonly _trans: TranslationBundle,
    private readonly _show: () => void
  ) {
    super();
    this.addClass('jp-mod-highlighted');
  }

  protected override render(): ReactElement {
    return <Counts list={this._list} trans={this._trans} show={this._show} />;
  }
}

interface ICountsProps {
  list: IJobList;
  trans: TranslationBundle;
  show: () => void;
}

function Counts({ list, trans, show }: ICountsProps): ReactElement {
  useSignal(list.changed);
  const { running, waiting } = counts(list);
  const texts = [
    ...(running > 0 ? [trans._n('%1 job', '%1 jobs', running, running)] : []),
    ...(waiting > 0
      ? [trans._n('%1 waiting', '%1 waiting', waiting, waiting)]
      : [])
  ];
  return (
    <button
      type="button"
      className="jp-hybrid-Status"
      title={trans.__('Show jobs')}
      onClick={show}
    >
      <jobsIcon.react tag="span" className="jp-hybrid-Job-icon" />
      <span className="jp-StatusBar-TextItem">{texts.join(', ')}</span>
    </button>
  );
}
