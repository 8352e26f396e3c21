local data = input.data
return {transformed = data * 2}
