/** All outputs of a job, kept in memory and shown in whatever cells are attached. */
import type * as nbformat from '@jupyterlab/nbformat';

import type { IJobEvent } from '../records';
import { Applier, type CellStatus, type ICells } from './applier';
import { PlainOutputs, type Tell } from './plain';

/** Characters of a cell that are drawn with each answer; of more than that seldom. */
const LITTLE = 20_000;
/** Milliseconds between two times that much is drawn. */
const SELDOM = 300;

/** A cell on the screen. */
export interface IShownOutputs {
  /** How many it shows. */
  readonly length: number;
  /** One more; text of the same stream goes on. */
  add(output: nbformat.IOutput): void;
  /** Another one in the place of this one. */
  set(index: number, output: nbformat.IOutput): void;
  /** These and no others. */
  replace(outputs: nbformat.IOutput[]): void;
}

/** How a cell does. */
export interface ICellState {
  status: CellStatus;
  count: number | null;
}

/** Who is told. */
export interface IOutputsListener {
  /** These cells have begun or ended; null: any of them, for all are as if nothing had run. */
  status(cells: ReadonlySet<string> | null): void;
  /** There is one more cell: papermill's, with the parameters. */
  inject(cell: string, source: string): void;
  /** Makes the output that says what is left out of a cell. */
  leftOut: Tell;
}

export class JobOutputs implements ICells {
  constructor(private readonly _listener: IOutputsListener) {}

  /** Apply events, in their order, and draw what they have changed. */
  take(events: readonly IJobEvent[]): void {
    for (const event of events) {
      this._applier.apply(event);
    }
    // once for all of them: each costs a look at all cells of a notebook
    const changed = this._begun ? null : this._changed;
    this._begun = false;
    this._changed = new Set();
    if (changed === null || changed.size > 0) {
      this._listener.status(changed);
    }
    const touched = [...this._touched];
    this._touched.clear();
    touched.forEach(mirror => mirror.show());
  }

  /** Show a cell's outputs here from now on. */
  attach(cell: string, shown: IShownOutputs): void {
    this._mirror(cell).attach(shown);
  }

  /** Show them there no more; what is shown stays. */
  detach(cell: string): void {
    this._mirrors.get(cell)?.attach(null);
  }

  /** True where a cell's outputs are shown somewhere. */
  shows(cell: string): boolean {
    return this._mirrors.get(cell)?.isShown ?? false;
  }

  /** How a cell does; undefined where it has not begun. */
  state(cell: string): ICellState | undefined {
    return this._states.get(cell);
  }

  /** Draw what is late, and then no more. */
  dispose(): void {
    this._mirrors.forEach(mirror => mirror.attach(null));
  }

  /** For the applier. */
  outputs(cell: string): PlainOutputs {
    const mirror = this._mirror(cell);
    this._touched.add(mirror);
    return mirror.outputs;
  }

  /** For the applier. */
  begin(): void {
    this._states.clear();
    this._mirrors.forEach((_, cell) => this.outputs(cell).clear(false));
    this._begun = true;
  }

  /** For the applier. */
  inject(cell: string, source: string): void {
    this._listener.inject(cell, source);
  }

  /** For the applier. */
  status(cell: string, status: CellStatus, count: number | null): void {
    this._states.set(cell, { status, count });
    this._changed.add(cell);
  }

  private _mirror(cell: string): Mirror {
    const mirror =
      this._mirrors.get(cell) ??
      new Mirror(said => this._listener.leftOut(said));
    this._mirrors.set(cell, mirror);
    return mirror;
  }

  private readonly _applier = new Applier(this);
  private readonly _mirrors = new Map<string, Mirror>();
  private readonly _states = new Map<string, ICellState>();
  private readonly _touched = new Set<Mirror>();
  private _changed = new Set<string>();
  private _begun = false;
}

/** Outputs in memory and, where somebody looks, on the screen. */
class Mirror {
  constructor(tell: Tell) {
    this.outputs = new PlainOutputs(tell);
  }

  readonly outputs: PlainOutputs;

  get isShown(): boolean {
    return this._shown !== null;
  }

  attach(shown: IShownOutputs | null): void {
    clearTimeout(this._timer);
    this._timer = undefined;
    if (shown === null && this._shown !== null && this._late) {
      this._draw(this._shown);
    }
    this._shown = shown;
    if (shown !== null) {
      this._drawn = this.outputs.toJSON();
      this._mended = false;
      if (this._drawn.length + shown.length > 0) {
        shown.replace([...this._drawn]);
      }
    }
  }

  /** Draw them: at once where that is little, and otherwise not too often. */
  show(): void {
    const shown = this._shown;
    if (shown === null || this._timer !== undefined) {
      this._late = true;
      return;
    }
    this._draw(shown);
    if (this.outputs.size > LITTLE) {
      this._timer = setTimeout(() => {
        this._timer = undefined;
        if (this._late) {
          this.show();
        }
      }, SELDOM);
    }
  }

  /** Draw what is another than it was drawn. */
  private _draw(shown: IShownOutputs): void {
    const before = this._drawn;
    const outputs = (this._drawn = this.outputs.toJSON());
    this._late = false;
    if (
      outputs.length < before.length ||
      shown.length !== before.length ||
      !sameKind(before.at(-1), outputs[before.length - 1])
    ) {
      this._mended = false;
      shown.replace([...outputs]);
      return;
    }
    outputs.forEach((output, at) => {
      if (at >= before.length) {
        this._mended = false;
        shown.add(output);
      } else if (output !== before[at]) {
        this._change(shown, at, before[at], output);
      }
    });
  }

  /** Of text that goes on only what is new is drawn. */
  private _change(
    shown: IShownOutputs,
    at: number,
    before: nbformat.IOutput,
    output: nbformat.IOutput
  ): void {
    const last = at === shown.length - 1;
    const more = last && !this._mended ? added(before, output) : null;
    if (more === null) {
      // JupyterLab does not know any more where in it a carriage return would be
      this._mended ||= last;
      shown.set(at, output);
    } else {
      shown.add({ ...output, text: more });
    }
  }

  private _shown: IShownOutputs | null = null;
  /** As it was drawn last. */
  private _drawn: nbformat.IOutput[] = [];
  /** The last output was drawn anew, and is not appended to. */
  private _mended = false;
  /** Something has come since. */
  private _late = false;
  private _timer: ReturnType<typeof setTimeout> | undefined;
}

/**
 * False where JupyterLab, which goes by what was added last, would append text to what is no stream
 * any more, or to another one.
 */
function sameKind(
  before: nbformat.IOutput | undefined,
  now: nbformat.IOutput | undefined
): boolean {
  return (
    before?.output_type === now?.output_type &&
    before?.['name'] === now?.['name']
  );
}

/** What a stream has more than before; null where it is not the same with more at its end. */
function added(
  before: nbformat.IOutput,
  output: nbformat.IOutput
): string | null {
  const { name, output_type: type, text } = output;
  if (type !== 'stream' || before['name'] !== name) {
    return null;
  }
  const [old, now] = [before['text'] as string, text as string];
  return now.startsWith(old) && !old.endsWith('\r')
    ? now.slice(old.length)
    : null;
}
