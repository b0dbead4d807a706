/** Makes an element. What is given as text stays text: nothing here is ever parsed as HTML. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  properties: Partial<HTMLElementTagNameMap[Tag]> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** An input and its label. */
export function field(label: string, properties: Partial<HTMLInputElement>): HTMLLabelElement {
  return element('label', {}, label, element('input', { required: true, ...properties }));
}

/** The text of a form's field. */
export function textOf(form: HTMLFormElement, name: string): string {
  const value = new FormData(form).get(name);
  return typeof value === 'string' ? value : '';
}
