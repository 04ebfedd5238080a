"""JupyterLab (or Notebook 7) in a real browser: start it, open notebooks, look."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from commands import PATIENCE
from extension import built_extension
from servers import TOKEN, Server, server
from tree import ROOT

sys.path.insert(0, str(ROOT / "tests" / "tools"))

from lab import PREFIX, environment_of

#: Pictures of what the tests saw, to be looked at by people.
PICTURES = ROOT / "build" / "ui"
#: Milliseconds, as playwright counts.
PATIENT = PATIENCE * 1000
#: Themes in which they are taken.
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
#: JupyterLab's stylesheet of each.
SHEETS = Path(sys.prefix) / "share/jupyter/lab/themes/@jupyterlab"
#: Puts a theme's sheet behind what is there (JupyterLab's own is at the end of the body), or takes
#: it away; what the page said of its theme before is returned. Components follow a frame later.
WEAR = """async ([name, light, sheet]) => {
  document.getElementById('picture-theme')?.remove();
  if (sheet) {
    const style = document.createElement('style');
    style.id = 'picture-theme';
    style.textContent = sheet;
    document.body.append(style);
  }
  const { dataset, style } = document.body;
  const before = [dataset.jpThemeName, dataset.jpThemeLight];
  Object.assign(dataset, { jpThemeName: name, jpThemeLight: light });
  style.colorScheme = light === 'true' ? 'light' : 'dark';
  for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
  return before;
}"""
SWITCHES = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
#: What a first start would ask, or tell.
SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
    },
}
#: For a page's start: its clock is off by ``days``, and goes on by ``window.daysOff``.
CLOCK_OFF = """(() => {
  const Right = Date;
  window.daysOff = %d;
  const now = () => Right.now() + window.daysOff * 86400000;
  window.Date = class extends Right {
    constructor(...given) { super(...(given.length ? given : [now()])); }
    static now() { return now(); }
  };
})()"""
#: Whether JupyterLab has shown what it restores, asked as often as need be.
RESTORED = """() => {
  const app = window.jupyterapp;
  if (!app || document.querySelector('#jupyterlab-splash') !== null) return false;
  if (location.pathname.includes('/lab') && location.search.includes('reset')) return false;
  if (window.testRestored === undefined) {
    window.testRestored = false;
    void app.restored.then(() => { window.testRestored = true; });
  }
  return window.testRestored;
}"""
#: Waits until the kernel of the notebook in front can run cells.
KERNEL_IDLE = """async () => {
  const panel = window.jupyterapp.shell.currentWidget;
  await panel.context.ready;
  const session = panel.context.sessionContext;
  await session.ready;
  const idle = () => session.session?.kernel?.status === 'idle' &&
    session.session.kernel.connectionStatus === 'connected';
  for (let i = 0; i < 1200 && !idle(); i++) {
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  if (!idle()) throw new Error('the kernel is not idle');
}"""


@contextmanager
def lab(
    work: Path,
    home: Path,
    module: str = "jupyterlab",
    settings: dict[str, Any] | None = None,
    *,
    options: Sequence[str] = (),
    besides: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """JupyterLab with the extension and the server of this checkout.

    ``options`` are more words of its command line, ``besides`` paths in variables of its
    environment behind those that it has.
    """
    built_extension()
    settle(home, settings or {})
    exposed = "JupyterNotebookApp" if module == "notebook" else "LabApp"
    words = (f"--{exposed}.expose_app_in_browser=True", *options)
    environment = environment_of(PREFIX)
    for name, path in (besides or {}).items():
        environment[name] = os.pathsep.join(filter(None, (environment.get(name), path)))
    with server(work, home, module, *words, **environment) as started:
        yield started


@contextmanager
def bare_lab(work: Path, home: Path) -> Iterator[Server]:
    """JupyterLab with the server of this checkout, and nothing of its front end."""
    settle(home, {})
    with server(work, home, "jupyterlab", "--LabApp.expose_app_in_browser=True") as started:
        yield started


def settle(home: Path, settings: Mapping[str, Any]) -> None:
    """Write settings of JupyterLab, and answers to what a first start would ask."""
    for name, values in {**SETTINGS, **settings}.items():
        file = home / "config" / "lab" / "user-settings" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        program = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=program, args=list(SWITCHES))
        try:
            yield browser
        finally:
            browser.close()


def holds(field: Any, value: str) -> None:
    """Wait until a field has this value."""
    from playwright.sync_api import expect

    expect(field).to_have_value(value, timeout=PATIENT)


class Window:
    """A page of JupyterLab, or one that it opened; what the browser complains of is kept."""

    def __init__(self, context: Any, running: Server, page: Any = None) -> None:
        self.page = page or context.new_page()
        self.running = running
        self.complaints: list[str] = []
        self.page.set_default_timeout(PATIENT)
        self.page.on("pageerror", lambda error: self.complaints.append(error.stack or str(error)))
        self.page.on("console", self._console)

    def _console(self, message: Any) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def open(self, path: str = "", view: str = "lab") -> None:
        """Show JupyterLab, as it is when nothing was open before, with this notebook."""
        tree = "tree/" if view == "lab" else ""
        where = f"{view}/{tree}{path}" if path else view
        mark = "&" if "?" in where else "?"
        self.page.goto(f"{self.running.url}{where}{mark}token={TOKEN}&reset")
        self.restored()
        if path:
            self.page.wait_for_selector(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell")

    def restored(self) -> None:
        """Wait until JupyterLab is there.

        On a full machine JupyterLab comes to ``reset`` after it has read its state, and loads the
        page anew: a promise of the page before is lost with it, so this asks until a page says
        yes that has left ``reset`` behind.
        """
        self.page.wait_for_function(RESTORED)

    def kernel(self) -> None:
        """Wait until cells can run."""
        self.page.evaluate(KERNEL_IDLE)

    def command(self, name: str, **arguments: Any) -> None:
        """Execute one of JupyterLab's commands."""
        self.page.evaluate(
            "([name, args]) => void window.jupyterapp.commands.execute(name, args)",
            [name, arguments],
        )

    def theme(self, name: str) -> None:
        """Change to another theme, and wait until it is there."""
        self.page.evaluate(
            "name => window.jupyterapp.commands.execute("
            "'apputils:change-theme', {theme: name}).then(() => null)",
            name,
        )
        self.page.wait_for_function(
            "name => document.body.dataset.jpThemeName === name"
            " && document.querySelector('#jupyterlab-splash') === null",
            arg=name,
        )

    def picture(self, name: str) -> None:
        """Keep what is to be seen as ``build/ui/NAME-THEME.png``, light and dark.

        Only the sheets are changed: JupyterLab itself changes its theme by writing a setting to
        the server, which may be away, and what is to be seen may not wait for it.
        """
        PICTURES.mkdir(parents=True, exist_ok=True)
        worn: list[str] = []
        for word, theme in THEMES.items():
            sheet = (SHEETS / f"theme-{word}-extension" / "index.css").read_text()
            before = self.page.evaluate(WEAR, [theme, str(word == "light").lower(), sheet])
            worn = worn or before
            self.page.screenshot(path=str(PICTURES / f"{name}-{word}.png"))
        self.page.evaluate(WEAR, [*worn, ""])

    def contrast(self, name: str) -> None:
        """Keep it in JupyterLab's theme of high contrast, and stay in that."""
        self.theme("JupyterLab Dark High Contrast")
        self.page.screenshot(path=str(PICTURES / f"{name}-contrast.png"))

    def findings(self, selector: str) -> list[str]:
        """What axe finds serious, or worse, in a part of the page."""
        script = ROOT / "labextension" / "node_modules" / "axe-core" / "axe.min.js"
        self.page.add_script_tag(path=str(script))
        found = self.page.evaluate(
            "selector => axe.run(selector, {resultTypes: ['violations']})", selector
        )
        return [
            f"{one['id']}: {node['html']} {node['failureSummary']}"
            for one in found["violations"]
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]
