/** Thousands of jobs, of which only those in sight are in the document. */
import type { ReactElement } from 'react';
import type { TranslationBundle } from '@jupyterlab/translation';
import {
  type KeyboardEvent,
  type MouseEvent,
  useCallback,
  useEffect,
  useRef
} from 'react';

import type { IJob } from '../records';
import type { IJobList } from '../tokens';
import { useNow } from './hooks';
import { type IRowActions, Row, rowId } from './row';
import { useViewport } from './viewport';
import {
  drawn,
  type IRange,
  type IViewport,
  moved,
  pool,
  revealed,
  visible
} from './windowing';

/** Pixels of a row; `.jp-hybrid-Job` has the same. */
export const ROW = 66;

interface IRowsProps {
  list: IJobList;
  /** Of the list, as it is now. */
  jobs: readonly IJob[];
  total: number;
  trans: TranslationBundle;
  actions: IRowActions;
  /** The id of the job that is chosen. */
  active: string | null;
  setActive: (id: string | null) => void;
}

export function Rows(props: IRowsProps): ReactElement {
  const { list, jobs, total, trans, actions, active, setActive } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const view = useViewport(scroller, ROW);
  const range = drawn(view, total);
  const rows = jobs.slice(range.first, range.last);
  const elements = pool(view);
  const now = useNow(rows.some(job => !job.final));
  useReading(list, visible(view, total).last);

  const reveal = useCallback((index: number): void => {
    const node = scroller.current;
    if (node !== null) {
      node.scrollTop = revealed(
        { top: node.scrollTop, height: node.clientHeight, row: ROW },
        index
      );
    }
  }, []);
  const keys = useKeys({ ...props, view, reveal });
  useEffect(() => {
    const index = jobs.findIndex(job => job.id === active);
    if (index >= 0) {
      reveal(index);
    }
    // only another choice scrolls: not each job that is new above it
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [active, reveal]);

  const chosen = rows.find(job => job.id === active);
  return (
    // a grid is a widget that takes keys, and what is active in it is told by aria-activedescendant
    <div
      ref={scroller}
      className="jp-hybrid-Jobs-scroller"
      role="grid"
      tabIndex={0}
      aria-label={trans.__('Jobs')}
      aria-rowcount={total}
      aria-activedescendant={chosen && rowId(chosen)}
      onClick={event => {
        const job = clicked(event, jobs);
        if (job !== null) {
          setActive(job.id);
          actions.open(job);
        }
      }}
      onContextMenu={event => {
        const job = clicked(event, jobs);
        if (job !== null) {
          event.preventDefault();
          event.stopPropagation();
          setActive(job.id);
          actions.menu(job, event.clientX, event.clientY);
        }
      }}
      onKeyDown={keys}
    >
      <div
        className="jp-hybrid-Jobs-rows"
        role="rowgroup"
        style={{ height: total * ROW }}
      >
        {rows.map((job, at) => (
          <Row
            key={(range.first + at) % elements}
            job={job}
            index={range.first + at}
            top={(range.first + at) * ROW}
            active={job.id === active}
            now={job.final ? 0 : now}
            trans={trans}
            actions={actions}
          />
        ))}
        {unread(range, jobs.length).map(index => (
          <div
            key={`unread-${index % elements}`}
            aria-hidden
            className="jp-hybrid-Job jp-mod-unread"
            style={{ top: index * ROW }}
          />
        ))}
      </div>
    </div>
  );
}

/** The job whose row was clicked; null for one of its buttons, which speaks for itself. */
function clicked(event: MouseEvent, jobs: readonly IJob[]): IJob | null {
  const target = event.target as Element;
  if (event.type === 'click' && target.closest('button') !== null) {
    return null;
  }
  const id = target.closest('[role="row"]')?.id;
  return jobs.find(job => rowId(job) === id) ?? null;
}

/** Rows in sight whose jobs have not been read yet. */
function unread({ first, last }: IRange, loaded: number): number[] {
  const from = Math.max(first, loaded);
  return Array.from({ length: Math.max(0, last - from) }, (_, at) => from + at);
}

/** Read pages until there is what somebody looks at. */
function useReading(list: IJobList, last: number): void {
  const loaded = list.jobs.length;
  useEffect(() => {
    if (last > loaded - 10 && !list.complete && list.error === null) {
      void list.more();
    }
  }, [list, last, loaded]);
}

interface IKeyProps extends IRowsProps {
  view: IViewport;
  reveal: (index: number) => void;
}

function useKeys(props: IKeyProps): (event: KeyboardEvent) => void {
  const { jobs, actions, active, setActive, view } = props;
  return (event: KeyboardEvent): void => {
    const index = jobs.findIndex(job => job.id === active);
    const page = Math.max(1, Math.floor(view.height / ROW) - 1);
    const to = moved(event.key, index, jobs.length, page);
    if (to !== null) {
      setActive(jobs[to].id);
    } else if (index >= 0 && event.key === 'Enter') {
      actions.open(jobs[index]);
    } else if (index >= 0 && isMenuKey(event)) {
      const row = document.getElementById(rowId(jobs[index]));
      const box = row?.getBoundingClientRect();
      actions.menu(jobs[index], (box?.left ?? 0) + 16, box?.bottom ?? 0);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
}

function isMenuKey(event: KeyboardEvent): boolean {
  return event.key === 'ContextMenu' || (event.shiftKey && event.key === 'F10');
}
