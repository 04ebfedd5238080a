/** The panel in the left sidebar: all jobs of this user, live. */
import type { ReactElement } from 'react';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import { type ISignal, Signal } from '@lumino/signaling';
import { useEffect, useState } from 'react';

import { WidgetIDs } from '../ids';
import type { IJobFilter } from '../records';
import type { IJobList, IJobsManager } from '../tokens';
import { Away, Failed, Loading, Missing, NoJobs, NoMatch } from './blank';
import { Filters } from './filters';
import { useSignal } from './hooks';
import { jobsIcon } from './icons';
import type { IRowActions } from './row';
import { Rows } from './rows';
import { Sending } from './sending';

/** Jobs that are read before anybody scrolls. */
const PAGE = 100;

export interface IPanelOptions {
  manager: IJobsManager;
  trans: TranslationBundle;
  actions: IRowActions;
  /** Opens the dialog for the current notebook; null where there is no dialog. */
  submit: (() => void) | null;
}

export class JobsPanel extends ReactWidget {
  constructor(private readonly _options: IPanelOptions) {
    super();
    const { trans } = _options;
    this.id = WidgetIDs.jobs;
    this.addClass('jp-hybrid-Jobs');
    this.title.icon = jobsIcon;
    this.title.caption = trans.__('Jobs');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', trans.__('Jobs'));
  }

  /** Somebody chose a job elsewhere. */
  get chosen(): ISignal<this, string> {
    return this._chosen;
  }

  /** Choose a job, and show all where it would not be seen. */
  choose(id: string): void {
    if (this._list?.jobs.every(job => job.id !== id)) {
      this._list.setFilter({});
    }
    this._choice = id;
    this._chosen.emit(id);
  }

  override dispose(): void {
    this._list?.dispose();
    super.dispose();
  }

  protected override onActivateRequest(): void {
    const grid = this.node.querySelector<HTMLElement>('[role="grid"], input');
    grid?.focus();
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.update();
  }

  protected override render(): ReactElement | null {
    // not before somebody looks: JupyterLab's start is not slowed down by it
    if (this._list === null && !this.isVisible) {
      return null;
    }
    this._list ??= this._options.manager.list({}, PAGE);
    return (
      <Panel
        {...this._options}
        list={this._list}
        chosen={this._chosen}
        choice={this._choice}
      />
    );
  }

  private readonly _chosen = new Signal<this, string>(this);
  private _choice: string | null = null;
  private _list: IJobList | null = null;
}

interface IPanelProps extends IPanelOptions {
  list: IJobList;
  chosen: ISignal<unknown, string>;
  choice: string | null;
}

function Panel(props: IPanelProps): ReactElement {
  const { manager, list, trans } = props;
  useSignal(manager.connectionChanged);
  useSignal(manager.sending.changed);
  useSignal(list.changed);
  const [active, setActive] = useState(props.choice);
  useEffect(() => {
    const choose = (_: unknown, id: string): void => setActive(id);
    props.chosen.connect(choose);
    return () => void props.chosen.disconnect(choose);
  }, [props.chosen]);
  const targets = useTargets(manager);
  if (manager.connection === 'missing') {
    return <Missing trans={trans} />;
  }
  return (
    <>
      <Away trans={trans} connection={manager.connection} />
      <Filters
        filter={list.filter}
        counts={list.counts}
        targets={targets}
        trans={trans}
        setFilter={filter => list.setFilter(filter)}
      />
      <Sending sendings={manager.sending} trans={trans} />
      <List {...props} active={active} setActive={setActive} />
    </>
  );
}

interface IListProps extends IPanelProps {
  active: string | null;
  setActive: (id: string | null) => void;
}

function List(props: IListProps): ReactElement {
  const { list, trans, actions, submit, active, setActive } = props;
  if (list.error !== null && list.jobs.length === 0) {
    return (
      <Failed
        trans={trans}
        error={list.error}
        retry={() => void list.refresh()}
      />
    );
  }
  if (list.loading) {
    return <Loading trans={trans} />;
  }
  if (list.total === 0 && props.manager.sending.items.length > 0) {
    return <div className="jp-hybrid-Jobs-scroller" />;
  }
  if (list.total === 0) {
    return isAll(list.filter) ? (
      <NoJobs trans={trans} submit={submit} />
    ) : (
      <NoMatch trans={trans} clear={() => list.setFilter({})} />
    );
  }
  return (
    <Rows
      list={list}
      jobs={list.jobs}
      total={list.total}
      trans={trans}
      actions={actions}
      active={active}
      setActive={setActive}
    />
  );
}

function isAll({ states, target, text }: IJobFilter): boolean {
  return !states && !target && !text;
}

function useTargets(manager: IJobsManager): readonly string[] {
  const [targets, setTargets] = useState<readonly string[]>([]);
  useEffect(() => {
    let wanted = true;
    manager.targets().then(
      found => {
        if (wanted) {
          setTargets(found.map(target => target.name));
        }
      },
      () => {
        // the list itself tells that the server does not answer
      }
    );
    return () => {
      wanted = false;
    };
  }, [manager]);
  return targets;
}
