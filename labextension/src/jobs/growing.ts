/** A text in the document that grows. */
import { type RefObject, useLayoutEffect } from 'react';

/** Show a text in a node that has nothing else; React would replace all of it, and with it a selection. */
export function useGrowing(node: RefObject<HTMLElement>, text: string): void {
  useLayoutEffect(() => {
    if (node.current !== null) {
      grow(node.current, text);
    }
  }, [node, text]);
}

/** Change the text from where it is another: what is selected before that stays selected. */
function grow(node: HTMLElement, text: string): void {
  const shown = node.firstChild;
  if (!(shown instanceof Text)) {
    node.textContent = text;
    return;
  }
  const same = alike(shown.data, text);
  shown.replaceData(same, shown.length - same, text.slice(same));
}

/** How many characters two texts begin with that are the same. */
function alike(one: string, other: string): number {
  if (other.startsWith(one)) {
    return one.length;
  }
  let same = 0;
  while (same < one.length && one[same] === other[same]) {
    same += 1;
  }
  return same;
}
