/** What stands between the beginning and the end of outputs that a page cannot hold. */
import type { IOutput } from '@jupyterlab/nbformat';
import type { IRenderMime } from '@jupyterlab/rendermime';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import { size } from '../words';
import type { Tell } from './plain';
import { type ILeftOut, LEFT_OUT } from './shortening';

import '../../style/leftout.css';

/** Makes the output that says it: by itself also where nothing of ours is, as in a saved notebook. */
export function teller(trans: TranslationBundle, job: string): Tell {
  return (said: ILeftOut): IOutput => ({
    output_type: 'display_data',
    data: {
      [LEFT_OUT]: { job, ...said },
      'text/plain': `… ${sentence(trans, said)} …`
    },
    metadata: {}
  });
}

/** Shows such outputs; `open` opens a job's log. */
export function leftOutFactory(
  trans: TranslationBundle,
  open: (job: string) => void
): IRenderMime.IRendererFactory {
  return {
    safe: true,
    mimeTypes: [LEFT_OUT],
    createRenderer: () => new LeftOut({ trans, open })
  };
}

/** Characters of an output that is more than the name of what it shows. */
const TEXT = 1000;

class LeftOut extends Widget implements IRenderMime.IRenderer {
  constructor(
    private readonly _options: {
      trans: TranslationBundle;
      open: (job: string) => void;
    }
  ) {
    super();
    this.addClass('jp-hybrid-LeftOut');
  }

  renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    // a job may have written anything there
    const said = (model.data[LEFT_OUT] ?? {}) as Partial<ILeftOut>;
    const { head, tail, job } = said;
    this.node.replaceChildren(
      ...text(head),
      this._note(said, typeof job === 'string' ? job : ''),
      ...text(tail)
    );
    return Promise.resolve();
  }

  private _note(said: Partial<ILeftOut>, job: string): HTMLElement {
    const { trans, open } = this._options;
    const note = document.createElement('div');
    note.className = 'jp-hybrid-LeftOut-note';
    note.setAttribute('role', 'note');
    note.append(`… ${sentence(trans, said)} …`);
    // (no log has pictures)
    if (job !== '' && !isMany(said)) {
      const button = document.createElement('button');
      button.type = 'button';
      button.className = 'jp-Button jp-mod-styled jp-mod-small';
      button.textContent = trans.__('Open the log');
      button.addEventListener('click', () => open(job));
      note.append(' ', button);
    }
    return note;
  }
}

function sentence(trans: TranslationBundle, said: Partial<ILeftOut>): string {
  const outputs = Number(said.outputs);
  return isMany(said)
    ? trans._n(
        '%1 more output: it is in the job’s result notebook',
        '%1 more outputs: all of them are in the job’s result notebook',
        outputs,
        outputs
      )
    : trans.__(
        '%1 more: all of it is in the job’s log and in its result notebook',
        size(Number(said.characters) || 0)
      );
}

/** True where pictures and the like are left out, and hardly a text. */
function isMany({ outputs, characters }: Partial<ILeftOut>): boolean {
  return Number(outputs) > 0 && !(Number(characters) > TEXT * Number(outputs));
}

function text(value: unknown): HTMLElement[] {
  if (typeof value !== 'string' || value === '') {
    return [];
  }
  const pre = document.createElement('pre');
  // eslint-disable-next-line no-control-regex
  pre.textContent = value.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, '');
  return [pre];
}
