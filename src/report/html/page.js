(() => {
  'use strict';
  const form = document.getElementById('filter');
  const count = document.getElementById('count');
  const rows = Array.from(document.querySelectorAll('tr[data-k]'), (row) => ({
    row,
    text: row.textContent.toLowerCase(),
    kinds: row.dataset.k.split(' '),
    namespaces: row.dataset.n.split(' '),
    weight: row.dataset.w || '',
    chain: row.dataset.c || '',
  }));
  const places = Array.from(document.querySelectorAll('details.ns'), (place) => ({
    place,
    own: rows.filter((one) => place.contains(one.row)),
    parts: Array.from(place.querySelectorAll('svg [data-c]'), (part) => ({ part, chains: part.dataset.c.split(' ') })),
    wasOpen: place.open,
  }));
  const matches = (one, words, wanted) =>
    words.every((word) => one.text.includes(word)) &&
    (!wanted.kind || one.kinds.includes(wanted.kind)) &&
    (!wanted.namespace || one.namespaces.includes(wanted.namespace)) &&
    (!wanted.weight || !one.weight || one.weight === wanted.weight);
  const filter = () => {
    const wanted = { kind: form.kind.value, namespace: form.namespace.value, weight: form.weight.value };
    const words = form.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const all = !words.length && !wanted.kind && !wanted.namespace && !wanted.weight;
    let shown = 0;
    for (const one of rows) {
      one.row.hidden = !matches(one, words, wanted);
      if (!one.row.hidden) shown += 1;
    }
    for (const { place, own, parts, wasOpen } of places) {
      const left = own.filter((one) => !one.row.hidden);
      place.hidden = !all && left.length === 0;
      place.open = all ? wasOpen : left.length > 0;
      const chains = new Set(left.map((one) => one.chain));
      for (const { part, chains: of } of parts) part.classList.toggle('dim', !of.some((chain) => chains.has(chain)));
    }
    count.textContent = all ? `${rows.length} rows` : `${shown} of ${rows.length} rows match`;
  };
  let waiting = 0;
  form.addEventListener('input', () => {
    clearTimeout(waiting);
    waiting = setTimeout(filter, 80);
  });
  form.addEventListener('reset', () => setTimeout(filter, 0));
  form.addEventListener('submit', (event) => event.preventDefault());
  document.addEventListener('pointerover', (event) => {
    const node = event.target.closest ? event.target.closest('svg.map g[data-c]') : null;
    for (const hot of document.querySelectorAll('svg.map .hot')) hot.classList.remove('hot');
    if (!node) return;
    const chains = node.dataset.c.split(' ');
    for (const part of node.closest('svg').querySelectorAll('[data-c]')) {
      if (part.dataset.c.split(' ').some((chain) => chains.includes(chain))) part.classList.add('hot');
    }
  });
  window.addEventListener('beforeprint', () => {
    for (const one of places) {
      one.before = one.place.open;
      one.place.open = true;
    }
  });
  window.addEventListener('afterprint', () => {
    for (const one of places) one.place.open = one.before;
  });
  form.hidden = false;
  filter();
})();
