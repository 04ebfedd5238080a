/** What the job's cells printed, or what its runner did, as text that grows. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { Button, HTMLSelect, ReactWidget } from '@jupyterlab/ui-components';
import {
  type ReactElement,
  type RefObject,
  useCallback,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState
} from 'react';

import type { IJobChange, IJobsManager, IProgress } from '../tokens';
import { useGrowing } from './growing';
import {
  appended,
  beginning,
  LogReader,
  NO_TEXT,
  prepended,
  whole
} from './logtext';

/** Pixels from its end at which a log is still at its end. */
const NEAR = 20;

type Of = 'cells' | 'runner';

export class LogView extends ReactWidget {
  constructor(
    private readonly _manager: IJobsManager,
    private readonly _id: string,
    private readonly _trans: TranslationBundle
  ) {
    super();
    this.addClass('jp-hybrid-Log');
  }

  protected override render(): ReactElement {
    return <Log manager={this._manager} id={this._id} trans={this._trans} />;
  }
}

interface ILogProps {
  manager: IJobsManager;
  id: string;
  trans: TranslationBundle;
}

function Log({ manager, id, trans }: ILogProps): ReactElement {
  const [of, setOf] = useState<Of>('cells');
  const { text, first, error, earlier } = useLog(manager, id, of);
  const node = useRef<HTMLPreElement>(null);
  useGrowing(node, text === '' ? trans.__('Nothing yet.') : text);
  const { hold, scrolled } = useEnd(node, text);
  const show = async (): Promise<void> => {
    if ((await earlier(hold)) === 0) {
      // the button has gone
      node.current?.focus();
    }
  };
  return (
    <>
      <div className="jp-hybrid-Log-choice">
        <HTMLSelect
          aria-label={trans.__('Log of')}
          value={of}
          options={[
            { value: 'cells', label: trans.__('What the cells printed') },
            { value: 'runner', label: trans.__('What the runner did') }
          ]}
          onChange={event => setOf(event.currentTarget.value as Of)}
        />
      </div>
      {error !== null && <p role="alert">{error.message}</p>}
      {first > 0 && (
        <p className="jp-hybrid-Head-note">
          {trans.__('Only the end is shown here.')}{' '}
          <Button className="jp-mod-styled" onClick={() => void show()}>
            {trans.__('Show earlier')}
          </Button>
        </p>
      )}
      <pre
        ref={node}
        // text that scrolls is reached by the keyboard
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        tabIndex={0}
        aria-label={trans.__('Log')}
        onScroll={scrolled}
      />
    </>
  );
}

interface IEnd {
  /** What is seen stays where it is, though something comes before it. */
  hold: () => void;
  scrolled: () => void;
}

/** Stay at the end of a text that grows, unless somebody has scrolled away from it. */
function useEnd(node: RefObject<HTMLElement>, text: string): IEnd {
  const atEnd = useRef(true);
  const below = useRef<number | null>(null);
  useLayoutEffect(() => {
    const pre = node.current;
    if (pre === null) {
      return;
    }
    if (below.current !== null) {
      pre.scrollTop = pre.scrollHeight - below.current;
      below.current = null;
    } else if (atEnd.current) {
      pre.scrollTop = pre.scrollHeight;
    }
  }, [node, text]);
  return {
    hold: () => {
      const pre = node.current;
      below.current = pre && pre.scrollHeight - pre.scrollTop;
    },
    scrolled: () => {
      const pre = node.current;
      if (pre !== null) {
        const { scrollTop, scrollHeight, clientHeight } = pre;
        atEnd.current = scrollHeight - scrollTop - clientHeight < NEAR;
      }
    }
  };
}

interface ILog {
  text: string;
  /** Where it begins; 0 where nothing stands before it. */
  first: number;
  error: Error | null;
  /** Read what stands before, and call when it is there; where it begins, null where it failed. */
  earlier: (arrived: () => void) => Promise<number | null>;
}

function useLog(manager: IJobsManager, id: string, of: Of): ILog {
  const [log, setLog] = useState(NO_TEXT);
  const [error, setError] = useState<Error | null>(null);
  const reader = useRef<LogReader | null>(null);
  const asking = useRef(false);
  useEffect(() => {
    setLog(NO_TEXT);
    setError(null);
    const reading = new LogReader(
      part => manager.api.log(id, of, part),
      page => {
        setLog(old => appended(old, page));
        setError(null);
      },
      setError
    );
    reader.current = reading;
    const news = (_: IJobsManager, news: IProgress | IJobChange): void => {
      if (news.id === id) {
        reading.look();
      }
    };
    manager.progressed.connect(news);
    manager.jobChanged.connect(news);
    return () => {
      manager.progressed.disconnect(news);
      manager.jobChanged.disconnect(news);
      reading.dispose();
    };
  }, [manager, id, of]);
  const first = beginning(log);
  const earlier = useCallback(
    async (arrived: () => void) => {
      if (asking.current || reader.current === null) {
        return null;
      }
      asking.current = true;
      const page = await reader.current.before(first);
      asking.current = false;
      if (page !== null) {
        arrived();
        setLog(old => (beginning(old) === first ? prepended(old, page) : old));
      }
      return page && page.first;
    },
    [first]
  );
  return { text: useMemo(() => whole(log), [log]), first, error, earlier };
}
