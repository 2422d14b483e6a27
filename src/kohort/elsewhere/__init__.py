"""`kohort.fit` where Keras already runs on another backend: a child process trains on JAX and sends the runs back.

`parent` is `kohort.fit` there; it never loads JAX. It puts recipes and data into a temporary folder (`recipes_sent`,
`parcel`) and starts `child` (`process`), which calls the ordinary `kohort.fit` and puts the runs into the same folder.
Nothing in the folder is a pickle: arrays are `.npy` files, models `.keras` files loaded in safe mode, the rest JSON.
"""
