/** Files that travel, or stay here because somebody unticked them, in an order that lasts. */
import type { ITravelling } from '../records';

export type IFile = ITravelling['files'][number];

/** Who unticks a file, or ticks it again, finds it and the focus where they were. */
export class Files {
  /** What would travel now. What was listed before stays where it is; what is new comes between. */
  take(files: readonly IFile[], exclude: readonly string[]): void {
    files.forEach(file => this._seen.set(file.path, file));
    const paths = files.map(({ path }) => path);
    const now = new Set([...exclude, ...paths]);
    const order = this._paths(exclude).filter(path => now.has(path));
    const known = new Set(order);
    const first = order.findIndex(path => !exclude.includes(path));
    let next = first < 0 ? order.length : first;
    for (const path of paths) {
      if (!known.has(path)) {
        order.splice(next, 0, path);
      }
      next = order.indexOf(path) + 1;
    }
    this._order = order;
  }

  /** All of them; one that is ticked again is among them before the server names it. */
  list(exclude: readonly string[]): IFile[] {
    return this._paths(exclude).map(
      path => this._seen.get(path) ?? { path, size: 0, why: '', new: 0 }
    );
  }

  /** Those that nobody has named yet come first. */
  private _paths(exclude: readonly string[]): string[] {
    const known = new Set(this._order);
    return [...exclude.filter(path => !known.has(path)), ...this._order];
  }

  private readonly _seen = new Map<string, IFile>();
  private _order: readonly string[] = [];
}
