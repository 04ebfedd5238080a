/** What the panel shows: all jobs of this user, live. Loaded when somebody looks at it first. */
import type { ReactElement } from 'react';
import type { ISignal } from '@lumino/signaling';
import { useEffect, useState } from 'react';

import type { IJobFilter } from '../records';
import type { IJobList } from '../tokens';
import {
  Away,
  Failed,
  Loading,
  Missing,
  NoJobs,
  NoMatch,
  Unread
} from './blank';
import { Filters } from './filters';
import { useSignal, useTargets } from './hooks';
import type { IPanelOptions } from './panel';
import { Rows } from './rows';
import { Sending } from './sending';

import '../../style/jobs.css';

export interface IPanelProps extends IPanelOptions {
  list: IJobList;
  chosen: ISignal<unknown, string>;
  choice: string | null;
}

export function PanelView(props: IPanelProps): ReactElement {
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
  const retry = (): void => void list.refresh();
  if (list.error !== null && list.jobs.length === 0) {
    return <Failed trans={trans} error={list.error} retry={retry} />;
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
  // a server that is away is told of by another line
  const part = props.manager.connection === 'online' ? list.error : null;
  return (
    <>
      {part && <Unread trans={trans} error={part} retry={retry} />}
      <Rows
        list={list}
        jobs={list.rows}
        total={list.total}
        trans={trans}
        actions={actions}
        active={active}
        setActive={setActive}
      />
    </>
  );
}

function isAll({ states, target, text }: IJobFilter): boolean {
  return !states && !target && !text;
}
