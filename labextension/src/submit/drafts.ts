/** Choices of dialogs that ended without a job, kept for as long as the browser's tab is open. */
import type { Json } from '../tokens';
import { EMPTY, type IDraft, fromPreferences } from './draft';

const PREFIX = 'jupyter-hybrid:draft:';

/** The draft for one notebook or job of a server, over a reload of the page too. */
export class Drafts {
  /** `key` tells it from others of the same server, whose address is `base`. */
  constructor(base: string, key: string) {
    this._name = `${PREFIX}${base}:${key}`;
  }

  /** What was kept; undefined where nothing was. */
  get(): IDraft | undefined {
    try {
      const text = sessionStorage.getItem(this._name);
      const kept = text === null ? null : (JSON.parse(text) as Json | null);
      return kept === null ? undefined : { ...EMPTY, ...fromPreferences(kept) };
    } catch {
      // no storage here, or another version's words: then nothing was kept
      return undefined;
    }
  }

  /** Keep it; null forgets. */
  set(draft: IDraft | null): void {
    try {
      if (draft === null) {
        sessionStorage.removeItem(this._name);
      } else {
        sessionStorage.setItem(this._name, JSON.stringify(draft));
      }
    } catch {
      // full, or forbidden: the dialog works all the same
    }
  }

  private readonly _name: string;
}
