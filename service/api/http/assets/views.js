/** The parts of the page; the address's fragment says which one is seen. */

export class Views {
  /** @param {Words} words */
  constructor() {
    this.sections = Array.from(document.querySelectorAll("main > .view"));
    this.links = Array.from(document.querySelectorAll("header nav a"));
    addEventListener("hashchange", () => this.show(true));
  }

  /** Show what the address asks for; of what is not offered the first. */
  show(isMove = false) {
    const wanted = location.hash.slice(1);
    if (wanted === "main") return; // the link past the header
    const offered = this.links.filter((link) => !link.hidden).map((link) => link.hash.slice(1));
    const name = offered.includes(wanted) ? wanted : offered[0];
    for (const section of this.sections) section.hidden = section.id !== `view-${name}`;
    for (const link of this.links) {
      if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    if (isMove) scrollTo(0, 0);
  }

  /** Offer a part, or do not. */
  offer(name, isOffered) {
    this.links.find((link) => link.hash === `#${name}`).hidden = !isOffered;
    this.show();
  }
}
