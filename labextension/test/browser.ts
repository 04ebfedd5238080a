/** What JupyterLab's packages ask of a browser as they are loaded, and jsdom has not got. */
class Nothing {
  observe(): void {
    // there is nothing to see
  }
  disconnect(): void {
    // as above
  }
}

Object.assign(globalThis, {
  DragEvent: class extends MouseEvent {},
  ResizeObserver: Nothing,
  IntersectionObserver: Nothing,
  matchMedia: () => ({ addListener: () => undefined }),
  requestIdleCallback: (then: () => void) => setTimeout(then),
  cancelIdleCallback: clearTimeout
});
