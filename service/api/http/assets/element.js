/**
 * Elements made in code. What the server sends is only ever text here: nothing is parsed as HTML, and no element gets
 * a style attribute, which the page's content security policy forbids.
 */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An HTML element.
 * @param {string} name
 * @param {Object} attributes  text as it is; true: present without a value; false, null: left out; functions: listeners,
 *   under the event's name
 * @param {...(Node|string|Array)} children
 */
export function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** An SVG element; the same as `element` otherwise. */
export function drawing(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.flat());
  return made;
}
