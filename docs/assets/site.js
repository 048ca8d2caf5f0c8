// The name e-conomic does not break at its hyphen, which no style can say.
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const named = [];
while (texts.nextNode()) {
  if (texts.currentNode.data.includes("e-conomic")) named.push(texts.currentNode);
}
for (const text of named.filter((it) => !it.parentNode.closest("script, style, template"))) {
  const pieces = text.data.split(/(e-conomic)/).map((piece, place) => {
    if (place % 2 === 0) return piece;
    const name = document.createElement("span");
    name.className = "name";
    name.textContent = piece;
    return name;
  });
  text.replaceWith(...pieces);
}
