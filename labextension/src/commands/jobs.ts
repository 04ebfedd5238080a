/** What can be done with a job, from the panel, its page, menus and the keyboard. */
import {
  Clipboard,
  Dialog,
  Notification,
  showDialog
} from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import {
  copyIcon,
  deleteIcon,
  downloadIcon,
  refreshIcon,
  stopIcon
} from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';

import { CommandIDs } from '../ids';
import { shown } from '../jobs/wording';
import { withWhole } from '../notices/whole';
import type { ICommands, IFetched, IJob } from '../records';
import type { IJobsManager } from '../tokens';
import { Once, Reruns } from './once';
import { told } from './told';

/** The button for an Enter that somebody holds down: the one that leaves all as it is. */
const UNHARMED = 0;

export interface IJobCommands {
  commands: CommandRegistry;
  manager: IJobsManager;
  trans: TranslationBundle;
}

/** What the commands share. */
interface IShared extends IJobCommands {
  /** Do what a command does with a job, once at a time, and tell what goes wrong. */
  act: (args: Args, command: string, action: Act) => Promise<void>;
}

type Args = ReadonlyPartialJSONObject;
type Act = (options: IJobCommands, id: string) => Promise<void>;

/** Make them known; what they cannot do is told in the server's own sentence. */
export function addJobCommands(given: IJobCommands): IDisposable {
  const once = new Once();
  const options: IShared = {
    ...given,
    act: (args, command, action) =>
      once.run(`${command} ${idOf(args)}`, () =>
        told(given.trans, () => action(given, idOf(args)))
      )
  };
  const { commands, manager, trans, act } = options;
  const known = (args: Args): IJob | undefined => manager.known(idOf(args));
  addRuns(options, known);
  commands.addCommand(CommandIDs.fetch, {
    label: trans.__('Fetch Results'),
    caption: trans.__(
      'Bring the executed notebook and the files into the workspace'
    ),
    icon: downloadIcon,
    isEnabled: args => known(args)?.final ?? false,
    execute: args => act(args, CommandIDs.fetch, fetch)
  });
  commands.addCommand(CommandIDs.remove, {
    label: trans.__('Delete…'),
    caption: trans.__('Forget the job and what is kept of it'),
    icon: deleteIcon,
    isEnabled: args => known(args)?.final ?? false,
    execute: args => act(args, CommandIDs.remove, remove)
  });
  commands.addCommand(CommandIDs.copy, {
    label: args => copyLabel(args, trans),
    icon: copyIcon,
    isEnabled: args => {
      const job = known(args);
      return job !== undefined && (args['as'] === 'magic' || !isCell(job));
    },
    execute: args =>
      told(trans, () => copy(options, idOf(args), args['as'] as As))
  });
  return manager.jobChanged.connect(changed, options)
    ? {
        isDisposed: false,
        dispose: () => void manager.jobChanged.disconnect(changed, options)
      }
    : { isDisposed: true, dispose: () => undefined };
}

type As = keyof ICommands;

/** Commands that start or end something. */
function addRuns(
  { commands, manager, trans, act }: IShared,
  known: (args: Args) => IJob | undefined
): void {
  const reruns = new Reruns(manager);
  commands.addCommand(CommandIDs.cancel, {
    label: trans.__('Cancel'),
    caption: trans.__('End the job now; what it has shown and written is kept'),
    icon: stopIcon,
    isEnabled: args => {
      const job = known(args);
      return job !== undefined && !job.final && job.wanted !== 'CANCELLED';
    },
    execute: args => act(args, CommandIDs.cancel, cancel)
  });
  commands.addCommand(CommandIDs.rerun, {
    label: trans.__('Run Again'),
    caption: trans.__('Submit once more what the job executed, as it was then'),
    icon: refreshIcon,
    isEnabled: args => known(args) !== undefined,
    execute: args =>
      act(args, CommandIDs.rerun, async (_, id) => {
        const old = known(args);
        const again = (): Promise<IJob> => reruns.run(id);
        void commands.execute(CommandIDs.showJobs);
        const job = await (old ? manager.sending.watch(old, again) : again());
        // whoever has gone on elsewhere meanwhile stays there
        const chosen = { id: job.id, activate: false };
        void commands.execute(CommandIDs.showJobs, chosen);
      })
  });
}

function changed(this: IJobCommands): void {
  for (const id of [
    CommandIDs.cancel,
    CommandIDs.fetch,
    CommandIDs.remove,
    CommandIDs.rerun,
    CommandIDs.copy
  ]) {
    this.commands.notifyCommandChanged(id);
  }
}

async function cancel(options: IJobCommands, id: string): Promise<void> {
  const { manager, trans } = options;
  const job = manager.known(id);
  const answer = await showDialog({
    title: trans.__('Cancel this job?'),
    body: job ? shown(job.name) : '',
    buttons: [
      Dialog.cancelButton({ label: trans.__('Let it run') }),
      Dialog.warnButton({ label: trans.__('Cancel the job') })
    ],
    defaultButton: UNHARMED
  });
  if (answer.button.accept) {
    await manager.cancel(id);
  }
}

async function remove(options: IJobCommands, id: string): Promise<void> {
  const { manager, trans } = options;
  const job = manager.known(id);
  const answer = await showDialog({
    title: trans.__('Delete this job?'),
    body: trans.__(
      '“%1” and its outputs will be gone here and at its place. What was fetched stays.',
      job ? shown(job.name) : id
    ),
    buttons: [
      Dialog.cancelButton(),
      Dialog.warnButton({ label: trans.__('Delete') })
    ],
    defaultButton: UNHARMED
  });
  if (answer.button.accept) {
    await manager.delete(id);
  }
}

async function fetch(options: IJobCommands, id: string): Promise<void> {
  const { commands, manager, trans } = options;
  const fetched = await manager.fetch(id);
  const path = fetched.path;
  const actions = path
    ? [
        {
          label: trans.__('Open notebook'),
          callback: () => void commands.execute('docmanager:open', { path })
        }
      ]
    : [];
  const kept = fetched.conflicts.length + fetched.left.length;
  const text = fetchedText(fetched, trans);
  Notification.emit(text, kept ? 'warning' : 'success', {
    actions: withWhole(trans, text, actions),
    autoClose: kept ? false : 5000
  });
}

/** What came, and what is not where it should be. */
export function fetchedText(
  fetched: IFetched,
  trans: TranslationBundle
): string {
  const { more } = fetched;
  const files = fetched.files.length + more.files;
  const came = [
    ...(fetched.notebook === null ? [] : [trans.__('the executed notebook')]),
    ...(files > 0 ? [trans._n('%1 file', '%1 files', files, files)] : [])
  ];
  const lines = [
    came.length > 0
      ? trans.__('Fetched: %1', came.join(', '))
      : trans.__('Everything is here already')
  ];
  for (const [mine, other] of fetched.conflicts) {
    lines.push(
      trans.__(
        '%1 was changed here meanwhile and is kept; the job’s is %2',
        shown(mine),
        shown(other)
      )
    );
  }
  fetched.left.forEach(reason => lines.push(shown(reason)));
  const others = more.conflicts + more.left;
  if (others > 0) {
    lines.push(trans._n('and %1 more', 'and %1 more', others, others));
  }
  return lines.join('\n');
}

async function copy(options: IJobCommands, id: string, as: As): Promise<void> {
  const { manager, trans } = options;
  const text = (await manager.job(id)).commands[as];
  if (text === null) {
    throw new Error(trans.__('There is no such way to submit this job'));
  }
  Clipboard.copyToSystem(text);
  Notification.success(trans.__('Copied: %1', shown(text)), {
    autoClose: 3000
  });
}

function copyLabel(args: Args, trans: TranslationBundle): string {
  switch (args['as']) {
    case 'cli':
      return trans.__('Copy as Command Line');
    case 'python':
      return trans.__('Copy as Python');
    default:
      return trans.__('Copy as Magic');
  }
}

function isCell(job: IJob): boolean {
  return job.kind === 'cell';
}

function idOf(args: Args): string {
  const id = args['id'];
  return typeof id === 'string' ? id : '';
}
