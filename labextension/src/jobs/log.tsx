/** What the job's cells printed, or what its runner did, as text that grows. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { HTMLSelect, ReactWidget } from '@jupyterlab/ui-components';
import { type ReactElement, useEffect, useRef, useState } from 'react';

import { withoutOverwritten } from '../outputs/applier';
import { asError } from '../request';
import type { IJobChange, IJobsManager, IProgress } from '../tokens';

/** Characters that are shown: the end of a longer text. */
const LONGEST = 400_000;
/** Milliseconds between two looks where no news comes. */
const QUIET = 5000;

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
  const { text, cut, error } = useLog(manager, id, of);
  const node = useRef<HTMLPreElement>(null);
  const atEnd = useRef(true);
  useEffect(() => {
    if (atEnd.current && node.current !== null) {
      node.current.scrollTop = node.current.scrollHeight;
    }
  }, [text]);
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
      {cut && (
        <p className="jp-hybrid-Head-note">
          {trans.__('Only the end is shown here.')}
        </p>
      )}
      <pre
        ref={node}
        // text that scrolls is reached by the keyboard
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        tabIndex={0}
        aria-label={trans.__('Log')}
        onScroll={event => {
          const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
          atEnd.current = scrollHeight - scrollTop - clientHeight < 20;
        }}
      >
        {text === '' ? trans.__('Nothing yet.') : text}
      </pre>
    </>
  );
}

interface IText {
  text: string;
  /** Its beginning was left out. */
  cut: boolean;
  error: Error | null;
}

const NOTHING: IText = { text: '', cut: false, error: null };

function useLog(manager: IJobsManager, id: string, of: Of): IText {
  const [log, setLog] = useState(NOTHING);
  useEffect(() => {
    setLog(NOTHING);
    const reader = new Reader(
      offset => manager.api.log(id, of, offset),
      text => setLog(old => appended(old, text)),
      error => setLog(old => ({ ...old, error }))
    );
    const news = (_: IJobsManager, news: IProgress | IJobChange): void => {
      if (news.id === id) {
        reader.look();
      }
    };
    manager.progressed.connect(news);
    manager.jobChanged.connect(news);
    return () => {
      manager.progressed.disconnect(news);
      manager.jobChanged.disconnect(news);
      reader.dispose();
    };
  }, [manager, id, of]);
  return log;
}

function appended(log: IText, text: string): IText {
  const whole = withoutOverwritten(log.text + plain(text));
  const cut = log.cut || whole.length > LONGEST;
  return { text: whole.slice(-LONGEST), cut, error: null };
}

/** Without colours, which a text has no place for. */
function plain(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, '');
}

interface IPage {
  text: string;
  next: number;
  more: boolean;
  ended: boolean;
}

/** Reads on where it left off, whenever there may be more. */
class Reader {
  constructor(
    private readonly _read: (offset: number) => Promise<IPage>,
    private readonly _take: (text: string) => void,
    private readonly _failed: (error: Error) => void
  ) {
    this.look();
  }

  look(): void {
    this._wanted = true;
    if (!this._busy) {
      this._busy = true;
      void this._all();
    }
  }

  dispose(): void {
    this._disposed = true;
    clearTimeout(this._timer);
  }

  private async _all(): Promise<void> {
    clearTimeout(this._timer);
    while (this._wanted && !this._disposed) {
      this._wanted = false;
      await this._one();
    }
    this._busy = false;
    if (!this._disposed && !this._ended) {
      this._timer = setTimeout(() => this.look(), QUIET);
    }
  }

  private async _one(): Promise<void> {
    try {
      const page = await this._read(this._offset);
      if (this._disposed) {
        return;
      }
      this._offset = page.next;
      this._wanted ||= page.more;
      this._ended = page.ended && !page.more;
      if (page.text !== '') {
        this._take(page.text);
      }
    } catch (error) {
      this._failed(asError(error));
    }
  }

  private _offset = 0;
  private _wanted = false;
  private _busy = false;
  private _ended = false;
  private _disposed = false;
  private _timer: ReturnType<typeof setTimeout> | undefined;
}
