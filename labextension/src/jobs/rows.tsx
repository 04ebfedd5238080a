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
  left,
  moved,
  pool,
  revealed,
  visible
} from './windowing';

/** Rows above and below those in sight that are read as well. */
const AROUND = 10;
/** Pixels of a row; `.jp-hybrid-Job` has the same. */
export const ROW = 66;

interface IRowsProps {
  list: IJobList;
  /** Of the list, as it is now. */
  jobs: IJobList['rows'];
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
  const rows = places(range).map(index => ({ index, job: jobs.at(index) }));
  const elements = pool(view);
  const now = useNow(rows.some(({ job }) => job?.final === false));
  useReading(list, jobs, view, total);

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
    const index = jobs.findIndex(job => job?.id === active);
    if (index >= 0) {
      reveal(index);
    }
    // only another choice scrolls: not each job that is new above it
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [active, reveal]);

  const chosen = rows.find(({ job }) => job?.id === active)?.job;
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
        {rows.map(({ index, job }) =>
          job === undefined ? (
            <div
              key={`unread-${index % elements}`}
              aria-hidden
              className="jp-hybrid-Job jp-mod-unread"
              style={{ top: index * ROW }}
            />
          ) : (
            <Row
              key={index % elements}
              job={job}
              index={index}
              top={index * ROW}
              active={job.id === active}
              now={job.final ? 0 : now}
              trans={trans}
              actions={actions}
            />
          )
        )}
      </div>
    </div>
  );
}

/** The job whose row was clicked; null for one of its buttons, which speaks for itself. */
function clicked(event: MouseEvent, jobs: IJobList['rows']): IJob | null {
  const target = event.target as Element;
  if (event.type === 'click' && target.closest('button') !== null) {
    return null;
  }
  const id = target.closest('[role="row"]')?.id;
  return jobs.find(job => job !== undefined && rowId(job) === id) ?? null;
}

/** The numbers of a range. */
function places({ first, last }: IRange): number[] {
  return Array.from({ length: last - first }, (_, at) => first + at);
}

/** Read what somebody looks at, and a little around it; not what a jump passes over. */
function useReading(
  list: IJobList,
  jobs: IJobList['rows'],
  view: IViewport,
  total: number
): void {
  const seen = visible(view, total);
  const first = Math.max(0, seen.first - AROUND);
  const last = Math.min(total, seen.last + AROUND);
  const passing = view.far === true;
  useEffect(() => {
    if (!passing) {
      list.need(first, last);
    }
  }, [list, jobs, first, last, passing]);
}

interface IKeyProps extends IRowsProps {
  view: IViewport;
  reveal: (index: number) => void;
}

function useKeys(props: IKeyProps): (event: KeyboardEvent) => void {
  const { jobs, total, actions, active, setActive, view, reveal } = props;
  /** The row that is to be chosen once it is read. */
  const coming = useRef<number | null>(null);
  /** Where the chosen row was last: its job may be deleted, or leave the filter. */
  const place = useRef(-1);
  useEffect(() => {
    coming.current = null;
  }, [active]);
  useEffect(() => {
    const index = jobs.findIndex(job => job?.id === active);
    place.current = index < 0 ? place.current : index;
  }, [jobs, active]);
  useEffect(() => {
    const job = coming.current === null ? undefined : jobs.at(coming.current);
    if (job !== undefined) {
      coming.current = null;
      setActive(job.id);
    }
  }, [jobs, setActive]);
  return (event: KeyboardEvent): void => {
    const index = jobs.findIndex(job => job?.id === active);
    const chosen = index < 0 ? undefined : jobs[index];
    const page = Math.max(1, Math.floor(view.height / ROW) - 1);
    const from = index < 0 ? left(event.key, place.current) : index;
    const to = moved(event.key, coming.current ?? from, total, page);
    if (to !== null) {
      const job = jobs.at(to);
      coming.current = job === undefined ? to : null;
      if (job === undefined) {
        reveal(to);
      } else {
        setActive(job.id);
      }
    } else if (chosen !== undefined && event.key === 'Enter') {
      actions.open(chosen);
    } else if (chosen !== undefined && isMenuKey(event)) {
      const row = document.getElementById(rowId(chosen));
      const box = row?.getBoundingClientRect();
      actions.menu(chosen, (box?.left ?? 0) + 16, box?.bottom ?? 0);
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
