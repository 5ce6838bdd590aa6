/* Sphinx lists the headings and pages that have all the words of a search. After these come the pages
 * that have most of them; a word that is on few pages counts for more. */
document.addEventListener("DOMContentLoaded", () => {
  // Words of a search are highlighted on the page that is opened then; in the titles
  // of icons that fails.
  document.querySelectorAll("svg title").forEach((title) => title.classList.add("nohighlight"));

  if (typeof Search === "undefined") return; // not the page of the search
  const findPages = Search.performTermsSearch;
  const SCORE = 4;
  const PATH = 5;

  Search.performTermsSearch = (words, excluded) => {
    const withAll = findPages(words, excluded);
    if (words.size < 2) return withAll;
    const known = new Set(withAll.map((page) => page[PATH]));
    const others = new Map();
    for (const word of words) {
      const pages = findPages(new Set([word]), excluded);
      for (const page of pages) {
        if (known.has(page[PATH])) continue;
        const other = others.get(page[PATH]) ?? { page, words: 0, score: 0 };
        other.words += 1;
        other.score += page[SCORE] / pages.length;
        others.set(page[PATH], other);
      }
    }
    const found = [...others.values()];
    found.forEach(({ page, score }) => (page[SCORE] = score / (1 + score))); // below all others
    const withMost = found.filter((other) => other.words > words.size / 2);
    const more = withAll.length || withMost.length ? withMost : found;
    return [...withAll, ...more.map((other) => other.page)];
  };
});
