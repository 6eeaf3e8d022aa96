// A page of its own: the recording stands in the page.
K.run();
K.show([JSON.parse(document.getElementById("motion").textContent)]);
