// Draws all figures of a page, on white or on dark as the reader's system asks, and on white for paper.
(() => {
  const themes = THEMES;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const drawn = new WeakSet();

  const say = (place, error) => {
    place.textContent = `The chart cannot be drawn: ${error.message}. The table below has its numbers.`;
  };

  const measure = (svg) => svg.style.setProperty("--own-width", `${svg.width.baseVal.value}px`);

  // each theme is drawn when it is first needed; the style shows the one that fits
  const draw = (theme) => {
    const works = [];
    for (const figure of document.querySelectorAll("figure.picture")) {
      const place = figure.querySelector(`.on-${theme}`);
      if (drawn.has(place)) continue;
      drawn.add(place);
      const spec = JSON.parse(figure.querySelector("script.chart-spec").textContent);
      const options = {
        actions: false,
        ast: true, // expressions are read, never run as code
        config: themes[theme],
        mode: "vega-lite",
        renderer: "svg",
        tooltip: { theme },
      };
      const work = vegaEmbed(place, spec, options).then(() => measure(place.querySelector("svg")));
      works.push(work.catch((error) => say(place, error)));
    }
    return Promise.all(works);
  };

  const fitting = () => draw(dark.matches ? "dark" : "light");
  dark.addEventListener("change", fitting);
  window.addEventListener("beforeprint", () => draw("light"));
  fitting().then(() => document.documentElement.classList.add("all-drawn"));
})();
